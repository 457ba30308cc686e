package s3

import "context"

// BucketExists reports whether the bucket is there.
func (s *Store) BucketExists(ctx context.Context) (bool, error) {
	there, err := s.core.BucketExists(ctx, s.bucket)
	if unexplained(err) {
		err = s.list(ctx)
		there = err == nil
	}
	return there, s.fail("s3.BucketExists", "bucket "+s.bucket, err)
}

// EnableVersioning has the bucket keep what is written over or deleted.
func (s *Store) EnableVersioning(ctx context.Context) error {
	return s.fail("s3.EnableVersioning", "versioning of bucket "+s.bucket, s.core.EnableVersioning(ctx, s.bucket))
}
