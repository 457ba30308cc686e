module github.com/asfotec/churn/test

go 1.26.0

require github.com/asfotec/churn/pkg v0.0.0

require (
	github.com/asfotec/churn/proto/gen v0.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/pkg/xattr v0.4.12 // indirect
	github.com/segmentio/kafka-go v0.4.51 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/asfotec/churn/data => ../data
	github.com/asfotec/churn/pkg => ../pkg
	github.com/asfotec/churn/proto/gen => ../proto/gen
)
