// Package blobtest is the conformance suite of blob.Store.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

const media = "text/plain; charset=utf-8"

// Store tests the store that open returns: an empty bucket each time.
func Store(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s blob.Store)
	}{
		{"what is put comes back", roundTrip},
		{"the same bytes can be put again, others are a Conflict", again},
		{"of many who put at once one wins", race},
		{"Get refuses what is not what the artifact says", mismatches},
		{"Open verifies at the end", opened},
		{"what is not there is NotFound", missing},
		{"keys that are no clean relative path are Invalid", badKeys},
		{"URIs of anything else are Invalid", badURIs},
		{"List gives the keys with the prefix in order", list},
		{"the bucket can be made again, also by many at once", bucket},
		{"a cancelled context ends a call", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func put(t *testing.T, s blob.Store, key string, data []byte) *blob.Artifact {
	t.Helper()
	a, err := s.Put(t.Context(), key, media, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantKind(t *testing.T, what string, err error, kind churn.Kind) {
	t.Helper()
	if !churn.IsKind(err, kind) {
		t.Errorf("%s: %v, want an error of kind %v", what, err, kind)
	}
}

func roundTrip(t *testing.T, s blob.Store) {
	for name, data := range map[string][]byte{
		"empty": {}, "small": []byte("small"), "zeros": make([]byte, 1<<16), "dir/sub dir/ü=+&?#%.txt": []byte("x"),
		"large": bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16),
	} {
		a := put(t, s, name, data)
		if size, sum, _ := blob.Digest(bytes.NewReader(data)); a.GetSize() != size || a.GetSha256() != sum || a.GetMediaType() != media || a.GetUri() != s.URI(name) {
			t.Errorf("%s: artifact %v", name, a)
		}
		if key, err := s.Key(a.GetUri()); err != nil || key != name {
			t.Errorf("%s: the URI's key is %q, %v", name, key, err)
		}
		got, err := s.Get(t.Context(), a, int64(len(data)))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(data))
		}
		if found, err := s.Stat(t.Context(), name); err != nil || !proto.Equal(found, a) {
			t.Errorf("%s: Stat says %v, %v; want %v", name, found, err, a)
		}
	}
}

func again(t *testing.T, s blob.Store) {
	first := put(t, s, "key", []byte("one"))
	if second := put(t, s, "key", []byte("one")); !proto.Equal(first, second) {
		t.Errorf("put again: %v, want %v", second, first)
	}
	for _, other := range []string{"two", "", "one "} {
		_, err := s.Put(t.Context(), "key", media, strings.NewReader(other))
		wantKind(t, "put "+other, err, churn.Conflict)
	}
	if got, err := s.Get(t.Context(), first, 10); err != nil || string(got) != "one" {
		t.Errorf("now it holds %q, %v", got, err)
	}
}

func race(t *testing.T, s blob.Store) {
	const many = 16
	var wins [many]*blob.Artifact
	var errs [many]error
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			wins[i], errs[i] = s.Put(t.Context(), "key", media, strings.NewReader(fmt.Sprint("writer ", i)))
		})
	}
	all.Wait()
	winner := slices.IndexFunc(errs[:], func(err error) bool { return err == nil })
	if winner < 0 {
		t.Fatalf("nobody has won: %v", errs)
	}
	for i, err := range errs {
		if i != winner {
			wantKind(t, fmt.Sprint("writer ", i), err, churn.Conflict)
		}
	}
	if got, err := s.Get(t.Context(), wins[winner], 100); err != nil || string(got) != fmt.Sprint("writer ", winner) {
		t.Errorf("it holds %q, %v; writer %d has won", got, err, winner)
	}
}

func mismatches(t *testing.T, s blob.Store) {
	a := put(t, s, "key", []byte("bytes"))
	for name, change := range map[string]func(*blob.Artifact){
		"another digest":      func(a *blob.Artifact) { a.Sha256 = strings.Repeat("0", 64) },
		"no digest":           func(a *blob.Artifact) { a.Sha256 = "" },
		"a smaller size":      func(a *blob.Artifact) { a.Size = 4 },
		"a larger size":       func(a *blob.Artifact) { a.Size = 6 },
		"a size over a limit": func(a *blob.Artifact) { a.Size = 101 },
	} {
		changed := proto.CloneOf(a)
		change(changed)
		data, err := s.Get(t.Context(), changed, 100)
		wantKind(t, name, err, churn.Invalid)
		if data != nil {
			t.Errorf("%s: bytes were returned", name)
		}
	}
	_, err := s.Get(t.Context(), a, 4)
	wantKind(t, "a limit below the size", err, churn.Invalid)
}

func opened(t *testing.T, s blob.Store) {
	a := put(t, s, "key", bytes.Repeat([]byte("bytes"), 100_000))
	other := proto.CloneOf(a)
	other.Sha256 = strings.Repeat("0", 64)
	unverified := &blob.Artifact{Uri: a.GetUri()}
	for name, test := range map[string]struct {
		a    *blob.Artifact
		want bool
	}{"as it is": {a, true}, "another digest": {other, false}, "by URI alone": {unverified, true}} {
		body, err := s.Open(t.Context(), test.a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n, err := io.Copy(io.Discard, body)
		if test.want && (err != nil || n != a.GetSize()) {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if !test.want {
			wantKind(t, name, err, churn.Invalid)
		}
		if err := body.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

func missing(t *testing.T, s blob.Store) {
	a := put(t, s, "key", []byte("x"))
	a.Uri = s.URI("other")
	_, err := s.Get(t.Context(), a, 10)
	wantKind(t, "Get", err, churn.NotFound)
	if body, err := s.Open(t.Context(), a); err == nil { // a store may say so at the first byte
		_, err = io.Copy(io.Discard, body)
		wantKind(t, "reading", err, churn.NotFound)
		_ = body.Close()
	} else {
		wantKind(t, "Open", err, churn.NotFound)
	}
	_, err = s.Stat(t.Context(), "other")
	wantKind(t, "Stat", err, churn.NotFound)
	_, err = s.Stat(t.Context(), "key/below")
	wantKind(t, "Stat below an object", err, churn.NotFound)
}

// BadKeys are no keys of any store.
var BadKeys = []string{"", "/", "/abs", "..", "../up", "a/../b", "a//b", "a/", "./a", ".", "a\x00b", "a\nb", "a\\b", "\xff", strings.Repeat("k", 1025)}

func badKeys(t *testing.T, s blob.Store) {
	for _, key := range BadKeys {
		_, err := s.Put(t.Context(), key, media, strings.NewReader("x"))
		wantKind(t, fmt.Sprintf("Put %.20q", key), err, churn.Invalid)
		_, err = s.Stat(t.Context(), key)
		wantKind(t, fmt.Sprintf("Stat %.20q", key), err, churn.Invalid)
	}
}

func badURIs(t *testing.T, s blob.Store) {
	a := put(t, s, "key", []byte("x"))
	good := a.GetUri()
	for _, uri := range []string{
		"", "key", "s3://", "s3:///key", "s3://other-bucket/key", "http://example.com/key", "file:///etc/passwd",
		strings.TrimSuffix(good, "key"), strings.Replace(good, "/key", "/../key", 1), good + "/..", good + "\n", strings.ToUpper(good[:5]) + good[5:],
	} {
		a.Uri = uri
		_, err := s.Key(uri)
		wantKind(t, fmt.Sprintf("Key %q", uri), err, churn.Invalid)
		_, err = s.Get(t.Context(), a, 10)
		wantKind(t, fmt.Sprintf("Get %q", uri), err, churn.Invalid)
		_, err = s.Open(t.Context(), a)
		wantKind(t, fmt.Sprintf("Open %q", uri), err, churn.Invalid)
	}
}

func list(t *testing.T, s blob.Store) {
	var want []string
	for i := range 30 {
		key := fmt.Sprintf("runs/%02d/x.json", 29-i)
		put(t, s, key, []byte("x"))
		want = append(want, key)
	}
	for _, key := range []string{"runs2/x", "run", "other/runs/x"} {
		put(t, s, key, []byte("x"))
	}
	slices.Sort(want)
	var got []string
	for key, err := range s.List(t.Context(), "runs/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	for key, err := range s.List(t.Context(), "nothing/") {
		t.Errorf("listed %q, %v where nothing is", key, err)
	}
	for range s.List(t.Context(), "runs/") {
		break // stopping early is fine
	}
}

func bucket(t *testing.T, s blob.Store) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.EnsureBucket(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, "key", media, strings.NewReader("x")); err == nil {
		t.Error("Put went on")
	}
	if _, err := s.Stat(t.Context(), "key"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("after a Put that was cancelled: %v", err)
	}
}
