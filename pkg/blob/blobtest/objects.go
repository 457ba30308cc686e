package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

// racers is how many do something at once.
const racers = 16

// each calls f for every racer at once and returns their errors.
func each(f func(i int) error) []error {
	errs := make([]error, racers)
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

func (s *suite) bucket() {
	for _, err := range each(func(int) error { return s.store.EnsureBucket(s.ctx) }) {
		if err != nil {
			s.Fatal(err)
		}
	}
	if err := s.store.Ping(s.ctx); err != nil {
		s.Fatal(err)
	}
	a := s.put("kept", []byte("kept"))
	if err := s.store.EnsureBucket(s.ctx); err != nil {
		s.Fatal(err)
	}
	s.holds(a, []byte("kept"))
}

func (s *suite) roundTrip() {
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": {0}, "text": []byte("grüezi\r\n"), "20 MB": random(20 << 20),
	} {
		key := s.dir + name
		sum := sha256.Sum256(data)
		want := &blob.Artifact{
			Uri: s.store.URI(key), Sha256: hex.EncodeToString(sum[:]),
			Size: int64(len(data)), MediaType: "application/vnd.apache.parquet",
		}
		body := bytes.NewReader(data)
		_, _ = body.Seek(0, io.SeekEnd) // Put begins at the beginning
		got, err := s.store.Put(s.ctx, key, want.MediaType, body)
		if err != nil {
			s.Fatal(err)
		}
		if !same(got, want) {
			s.Errorf("%s: put is %v, want %v", name, got, want)
		}
		if got, err = s.store.Stat(s.ctx, key); err != nil || !same(got, want) {
			s.Errorf("%s: stat is %v, %v, want %v", name, got, err, want)
		}
		s.holds(want, data)
		if streamed, err := s.read(want); err != nil || !bytes.Equal(streamed, data) {
			s.Errorf("%s: read %d of %d bytes: %v", name, len(streamed), len(data), err)
		}
	}
}

func (s *suite) again() {
	first := s.put("a", []byte("first"))
	if second := s.put("a", []byte("first")); !same(first, second) {
		s.Errorf("the second time it is %v, not %v", second, first)
	}
	for _, other := range []string{"other", "", "first and more"} {
		_, err := s.store.Put(s.ctx, s.dir+"a", "text/plain", strings.NewReader(other))
		s.wants(churn.Conflict, "put over another", err)
	}
	s.holds(first, []byte("first"))
}

func (s *suite) race() {
	artifacts := make([]*blob.Artifact, racers)
	body := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 100_000) }
	errs := each(func(i int) (err error) {
		for {
			artifacts[i], err = s.store.Put(s.ctx, s.dir+"a", "text/plain", bytes.NewReader(body(i)))
			if !churn.IsKind(err, churn.Transient) { // another has not finished
				return err
			}
		}
	})
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			s.holds(artifacts[i], body(i))
			continue
		}
		s.wants(churn.Conflict, "a write that lost", err)
	}
	if won != 1 {
		s.Errorf("%d of %d writes succeeded, not one", won, racers)
	}
}

func (s *suite) sameRace() {
	data := random(100_000)
	for _, err := range each(func(int) error {
		for {
			_, err := s.store.Put(s.ctx, s.dir+"a", "text/plain", bytes.NewReader(data))
			if !churn.IsKind(err, churn.Transient) {
				return err
			}
		}
	}) {
		if err != nil {
			s.Error(err)
		}
	}
}

func (s *suite) limits() {
	a := s.put("a", []byte("12345"))
	for limit, ok := range map[int64]bool{0: false, 4: false, 5: true, 6: true, math.MaxInt64: true} {
		got, err := s.store.Get(s.ctx, a, limit)
		if !ok {
			s.wants(churn.Invalid, fmt.Sprintf("limit %d", limit), err)
		} else if err != nil || string(got) != "12345" {
			s.Errorf("limit %d: got %q, %v", limit, got, err)
		}
	}
	// The object is larger than the event says.
	_, err := s.store.Get(s.ctx, with(a, func(a *blob.Artifact) { a.Size = 3 }), 4)
	s.wants(churn.Invalid, "an object that lies about its size", err)
}

func (s *suite) tampered() {
	for name, data := range map[string]string{"changed": "54321", "shorter": "1234", "longer": "123456", "emptied": ""} {
		a := s.put(name, []byte("12345"))
		s.backend.Tamper(s.T, s.dir+name, []byte(data))
		_, err := s.store.Get(s.ctx, a, limit)
		s.wants(churn.Invalid, name, err)
		_, err = s.read(a)
		s.wants(churn.Invalid, name+", streamed", err)
		if !strings.Contains(err.Error(), a.GetUri()) {
			s.Errorf("%s: %v does not name the object", name, err)
		}
	}
	a := s.put("a", []byte("12345"))
	for name, wrong := range map[string]*blob.Artifact{
		"another digest":         with(a, func(a *blob.Artifact) { a.Sha256 = strings.Repeat("0", 64) }),
		"a digest in capitals":   with(a, func(a *blob.Artifact) { a.Sha256 = strings.ToUpper(a.Sha256) }),
		"half a digest":          with(a, func(a *blob.Artifact) { a.Sha256 = a.Sha256[:32] }),
		"a size below":           with(a, func(a *blob.Artifact) { a.Size = 4 }),
		"a size above":           with(a, func(a *blob.Artifact) { a.Size = 6 }),
		"a size of less than no": with(a, func(a *blob.Artifact) { a.Size = -1 }),
	} {
		_, err := s.store.Get(s.ctx, wrong, limit)
		s.wants(churn.Invalid, name, err)
	}
}

// stream holds that bytes come before the object is at its end, that its end is
// an error, and that it stays one.
func (s *suite) stream() {
	data := random(1 << 20)
	a := s.put("a", data)
	data[len(data)-1] ^= 1
	s.backend.Tamper(s.T, s.dir+"a", data)
	body, err := s.store.Open(s.ctx, a)
	if err != nil {
		s.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		s.Fatal(err)
	}
	_, err = io.Copy(io.Discard, body)
	s.wants(churn.Invalid, "at the end", err)
	if _, err = body.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		s.Errorf("after the error the end is %v", err)
	}
}

func (s *suite) unverified() {
	a := s.put("a", []byte("12345"))
	bare := &blob.Artifact{Uri: a.GetUri()}
	if got, err := s.read(bare); err != nil || string(got) != "12345" {
		s.Errorf("read %q, %v", got, err)
	}
	for _, a := range []*blob.Artifact{bare, {}, nil} {
		_, err := s.store.Get(s.ctx, a, limit)
		s.wants(churn.Invalid, "get without a digest", err)
	}
	_, err := s.store.Open(s.ctx, nil)
	s.wants(churn.Invalid, "open nothing", err)
}

func (s *suite) notFound() {
	a := s.put("dir/a", []byte("a"))
	for _, key := range []string{"b", "dir", "dir/a/b", "dir/aa", "d"} {
		none := with(a, func(a *blob.Artifact) { a.Uri = s.store.URI(s.dir + key) })
		_, err := s.store.Get(s.ctx, none, limit)
		s.wants(churn.NotFound, "get "+key, err)
		_, err = s.store.Open(s.ctx, none)
		s.wants(churn.NotFound, "open "+key, err)
		_, err = s.store.Stat(s.ctx, s.dir+key)
		s.wants(churn.NotFound, "stat "+key, err)
	}
	if got := s.keys("none/"); len(got) != 0 {
		s.Errorf("a folder that is not there holds %v", got)
	}
}

func (s *suite) done() {
	a := s.put("a", []byte("a"))
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	for name, call := range map[string]func() error{
		"Put":  func() error { _, err := s.store.Put(ctx, s.dir+"b", "", strings.NewReader("b")); return err },
		"Get":  func() error { _, err := s.store.Get(ctx, a, limit); return err },
		"Open": func() error { _, err := s.store.Open(ctx, a); return err },
		"Stat": func() error { _, err := s.store.Stat(ctx, s.dir+"a"); return err },
		"List": func() error {
			for _, err := range s.store.List(ctx, s.dir) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		s.wants(churn.Transient, name, call())
	}
	_, err := s.store.Stat(s.ctx, s.dir+"b")
	s.wants(churn.NotFound, "what was not put", err)
}
