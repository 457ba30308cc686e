package doctor

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
)

// Store checks whether the object store lets this program in and has the bucket.
func Store(c config.Config, s blob.Store) Check {
	return Check{"object store", func(ctx context.Context) Finding {
		if err := s.Ping(ctx); err != nil {
			return fail(err)
		}
		found := fmt.Sprintf("%s bucket %s", c.S3Endpoint, c.Bucket)
		if v, is := s.(interface {
			Versioning(context.Context) (string, error)
		}); is {
			// A user may be good for all that matters and not be told this.
			if state, err := v.Versioning(ctx); err == nil {
				found += ", versioning " + state
			}
		}
		return ok("%s", found)
	}}
}

// ConditionalWrites checks whether the store refuses to write over an object
// that is there, on which every artifact relies. It leaves one object behind, the
// same each time.
func ConditionalWrites(s blob.Store) Check {
	return Check{"write-once", func(ctx context.Context) Finding {
		refused := false
		for _, body := range []string{"first\n", "second\n"} {
			_, err := s.Put(ctx, churn.ProbeKey, "text/plain", bytes.NewReader([]byte(body)))
			switch {
			case churn.IsKind(err, churn.Conflict):
				refused = true
			case churn.IsKind(err, churn.Internal):
				return warn("let this user write "+s.URI(churn.ProbeKey)+" to have it checked", "not checked: %v", err)
			case err != nil:
				return fail(err)
			}
		}
		if !refused {
			return Finding{Status: Fail, Found: "the store writes over objects in spite of If-None-Match: *",
				Advice: "take a store that honours it, such as MinIO or Amazon S3: artifacts could be lost"}
		}
		return ok("If-None-Match: * is honoured")
	}}
}

// How far this machine's clock may be off.
const (
	clockWarn = 2 * time.Second
	clockFail = 15 * time.Minute // S3 refuses signatures that are older
)

// Clock compares this machine's clock with the object store's.
func Clock(s blob.Store) Check {
	return Check{"clock", func(ctx context.Context) Finding {
		c, is := s.(interface {
			ClockAhead(context.Context) (time.Duration, error)
		})
		if !is {
			return ok("there is none to compare with")
		}
		ahead, err := c.ClockAhead(ctx)
		if err != nil {
			return fail(err)
		}
		return judgeClock(ahead)
	}}
}

func judgeClock(ahead time.Duration) Finding {
	const advice = "keep both machines' clocks by NTP"
	off := max(ahead, -ahead)
	switch {
	case off >= clockFail:
		return Finding{Status: Fail, Found: fmt.Sprintf("off by %s from the object store's: signatures are refused", off.Round(time.Second)), Advice: advice}
	case off > clockWarn:
		return warn(advice, "off by %s from the object store's", off.Round(time.Second))
	}
	return ok("within %s of the object store's", clockWarn)
}
