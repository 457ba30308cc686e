// Package kafkago is the CloudEvents SDK's Kafka protocol binding for messages
// of segmentio/kafka-go, which the SDK itself does not have.
//
// A Message reads a record, in binary or structured mode, as a binding.Message;
// WriteMessage fills a record from any binding.Message. The rules are those of
// the CloudEvents Kafka protocol binding 1.0:
//
//   - In binary mode attributes are headers with the prefix ce_, the data's
//     media type is the header content-type, and the data is the value.
//   - In structured mode the header content-type begins with
//     application/cloudevents and the value is the whole event.
//   - On writing, the partitionkey extension becomes the record's key. On
//     reading, no partitionkey is made up from the key.
package kafkago

import (
	"strings"

	// Makes the SDK read and write application/cloudevents+protobuf.
	_ "github.com/cloudevents/sdk-go/binding/format/protobuf/v2"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
)

const (
	prefix       = "ce_"
	contentType  = "content-type"
	partitionKey = "partitionkey"
)

var specs = spec.WithPrefix(prefix)

// isStructured reports whether a media type is that of whole events, whatever
// its case: media types have none.
func isStructured(mediaType string) bool {
	return format.IsFormat(strings.ToLower(strings.TrimSpace(mediaType)))
}
