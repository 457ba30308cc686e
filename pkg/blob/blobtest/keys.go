package blobtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

// BadKeys are no keys of any store: they lead out of the bucket, or mean
// different things to different stores.
var BadKeys = []string{
	"", ".", "..", "/", "/etc/passwd", "../other/a", "a/../../other/a", "a/..", "a/.", "./a", "a//b", "a/", "//a",
	"a\x00b", "a\nb", "a\r\nX-Amz-Acl: public-read", "\x1b[2J", "a\x7f", "a\u0085b", `..\..\a`, `a\b`, "\xff\xfe", "a/\xc0\xaf",
	strings.Repeat("a", 1025), strings.Repeat("a/", 600) + "a",
}

func (s *suite) hostileKeys() {
	for _, key := range BadKeys {
		_, err := s.store.Put(s.ctx, key, "text/plain", strings.NewReader("x"))
		s.wants(churn.Invalid, fmt.Sprintf("put %.40q", key), err)
		_, err = s.store.Stat(s.ctx, key)
		s.wants(churn.Invalid, fmt.Sprintf("stat %.40q", key), err)
	}
}

func (s *suite) hostileURIs() {
	good := s.put("a", []byte("a"))
	bucket := strings.TrimSuffix(s.store.URI("x"), "/x")
	uris := []string{
		"", "a", "s3:", "s3://", "s3:///a", bucket, bucket + "x/a", bucket + "@evil/a", bucket + ".evil/a", "s3://other/a",
		"S3" + strings.TrimPrefix(bucket, "s3") + "/a", "http" + strings.TrimPrefix(bucket, "s3") + "/a",
		"file:///etc/passwd", " " + bucket + "/a", bucket + "\n/a", strings.Repeat("s3://", 1<<18),
	}
	for _, key := range BadKeys {
		uris = append(uris, bucket+"/"+key)
	}
	for _, uri := range uris {
		_, err := s.store.Key(uri)
		s.wants(churn.Invalid, fmt.Sprintf("key of %.40q", uri), err)
		if err != nil && len(err.Error()) > 5000 {
			s.Errorf("the message about %.40q has %d bytes", uri, len(err.Error()))
		}
		bad := with(good, func(a *blob.Artifact) { a.Uri = uri })
		_, err = s.store.Open(s.ctx, bad)
		s.wants(churn.Invalid, fmt.Sprintf("open %.40q", uri), err)
		_, err = s.store.Get(s.ctx, bad, limit)
		s.wants(churn.Invalid, fmt.Sprintf("get %.40q", uri), err)
	}
}

// unusual are clean keys that a store may get wrong.
var unusual = []string{
	"with space", "100%", "%2e%2e", "a%2fb", "?versionId=1", "a#b", "a+b", "a&b=c", "<a>", `"a"`, "'a'", "a:b", "a;b", "a=b@c,d$e!f*g(h)",
	"Zürich/Straße", "日本語", "😀", "e\u0301", "...", "..a", "a..", ".hidden", "a.b/c-d_e~f", strings.Repeat("n", 200),
	"trial/" + strings.Repeat("d/", 300) + "a",
}

func (s *suite) unusualKeys() {
	for _, key := range unusual {
		data := []byte("bytes of " + key)
		s.holds(s.put(key, data), data)
		if a, err := s.store.Stat(s.ctx, s.dir+key); err != nil || a.GetSize() != int64(len(data)) {
			s.Errorf("stat %q is %v, %v", key, a, err)
		}
	}
	want := slices.Sorted(slices.Values(unusual))
	if got := s.keys(""); !slices.Equal(got, want) {
		s.Errorf("listed\n%q, not\n%q", got, want)
	}
}

func (s *suite) uris() {
	for _, key := range append([]string{"a", "runs/r-1/trainer/model.txt"}, unusual...) {
		uri := s.store.URI(key)
		if got, err := s.store.Key(uri); err != nil || got != key {
			s.Errorf("the key of %s is %q, %v, not %q", uri, got, err, key)
		}
	}
	a := s.put("a", nil)
	if a.GetUri() != s.store.URI(s.dir+"a") || !strings.HasPrefix(a.GetUri(), "s3://") {
		s.Errorf("the artifact of %s has URI %s", s.dir+"a", a.GetUri())
	}
}

func (s *suite) list() {
	// The order is that of bytes, though / is between some of them.
	want := []string{"a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a/b0", "a0", "aB", "ab", "b/0000000002", "b/0000000010", "b/1"}
	for i := range want {
		s.put(want[len(want)-1-i], []byte("x"))
	}
	for prefix, n := range map[string]int{"": 12, "a": 9, "a/": 4, "a/b": 4, "a/b.": 1, "a/b.c/": 1, "b/00": 2, "c": 0, "a/b.c/d/": 0} {
		got := s.keys(prefix)
		if !sorted(got) {
			s.Errorf("prefix %q: %q are not in order", prefix, got)
		}
		all := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		if len(all) != n || !slices.Equal(got, all) {
			s.Errorf("prefix %q: listed %q, not %q", prefix, got, all)
		}
	}
	seen := 0
	for _, err := range s.store.List(s.ctx, s.dir) {
		if err != nil {
			s.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		s.Errorf("left after %d keys, not 3", seen)
	}
}

func (s *suite) longList() {
	const n = 1010 // S3 answers with 1000 at most
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%03d/%04d", i%10, i))
	}
	for i, err := range parallel(want, func(key string) error {
		_, err := s.store.Put(s.ctx, s.dir+key, "text/plain", strings.NewReader(key))
		return err
	}) {
		if err != nil {
			s.Fatalf("%s: %v", want[i], err)
		}
	}
	slices.Sort(want)
	if got := s.keys(""); !slices.Equal(got, want) {
		s.Errorf("listed %d keys, not the %d that were put", len(got), n)
	}
}

// parallel calls f for each key, some at a time.
func parallel(keys []string, f func(string) error) []error {
	all := make([]error, len(keys))
	_ = each(func(racer int) error {
		for i := racer; i < len(keys); i += racers {
			all[i] = f(keys[i])
		}
		return nil
	})
	return all
}
