// Package blobtest is what every blob.Store must do, as one test.
package blobtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

// limit is above the size of what these tests put.
const limit = 32 << 20

// Backend is a store to be tested, whose bucket need not exist.
type Backend struct {
	Store blob.Store
	// Tamper replaces the bytes at key and leaves everything else as it is.
	Tamper func(t *testing.T, key string, data []byte)
}

// Store tests the store.
func Store(t *testing.T, b Backend) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"the bucket is made once by many at once", (*suite).bucket},
		{"objects come back as they were", (*suite).roundTrip},
		{"writing again", (*suite).again},
		{"of many who write other bytes one succeeds", (*suite).race},
		{"many who write the same bytes all succeed", (*suite).sameRace},
		{"Get has a limit", (*suite).limits},
		{"other bytes than were named are refused", (*suite).tampered},
		{"an object is streamed until it proves wrong", (*suite).stream},
		{"without a digest nothing is verified, and nothing got", (*suite).unverified},
		{"what is not there is NotFound", (*suite).notFound},
		{"hostile keys are Invalid", (*suite).hostileKeys},
		{"hostile URIs are Invalid", (*suite).hostileURIs},
		{"unusual keys", (*suite).unusualKeys},
		{"keys and URIs turn into each other", (*suite).uris},
		{"lists are in order and can be left", (*suite).list},
		{"lists are longer than a page", (*suite).longList},
		{"a context that is done ends every call", (*suite).done},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&suite{T: t, ctx: t.Context(), store: b.Store, backend: b, dir: strings.ToLower(rand.Text()[:8]) + "/"})
		})
	}
}

type suite struct {
	*testing.T
	ctx     context.Context
	store   blob.Store
	backend Backend
	dir     string // sets the test's keys apart
}

func (s *suite) put(key string, data []byte) *blob.Artifact {
	s.Helper()
	a, err := s.store.Put(s.ctx, s.dir+key, "text/plain", bytes.NewReader(data))
	if err != nil {
		s.Fatal(err)
	}
	return a
}

func (s *suite) wants(kind churn.Kind, what string, err error) {
	s.Helper()
	if !churn.IsKind(err, kind) {
		s.Errorf("%s: error is %v, not of kind %v", what, err, kind)
	}
}

func (s *suite) holds(a *blob.Artifact, want []byte) {
	s.Helper()
	got, err := s.store.Get(s.ctx, a, limit)
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		s.Errorf("%s holds %d bytes, not the %d that were put", a.GetUri(), len(got), len(want))
	}
}

// read opens the artifact and reads it to its end.
func (s *suite) read(a *blob.Artifact) ([]byte, error) {
	s.Helper()
	body, err := s.store.Open(s.ctx, a)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// keys lists the keys that start with the test's prefix and this one, without
// the former.
func (s *suite) keys(prefix string) []string {
	s.Helper()
	var keys []string
	for key, err := range s.store.List(s.ctx, s.dir+prefix) {
		if err != nil {
			s.Fatal(err)
		}
		keys = append(keys, strings.TrimPrefix(key, s.dir))
	}
	return keys
}

func same(a, b *blob.Artifact) bool {
	return a.GetUri() == b.GetUri() && a.GetSha256() == b.GetSha256() &&
		a.GetSize() == b.GetSize() && a.GetMediaType() == b.GetMediaType()
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails
	return data
}

// with returns a copy of a that change has changed.
func with(a *blob.Artifact, change func(*blob.Artifact)) *blob.Artifact {
	c := &blob.Artifact{Uri: a.GetUri(), Sha256: a.GetSha256(), Size: a.GetSize(), MediaType: a.GetMediaType()}
	change(c)
	return c
}

// sorted reports whether keys are in the order of their bytes, none twice.
func sorted(keys []string) bool {
	return slices.IsSorted(keys) && len(slices.Compact(slices.Clone(keys))) == len(keys)
}
