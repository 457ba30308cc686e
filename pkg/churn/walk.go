package churn

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	artifactv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/artifact/v1"
)

// WalkArtifacts calls f for every artifact that m names, in the order of the
// message's field declarations.
func WalkArtifacts(m proto.Message, f func(*artifactv1.Artifact)) {
	if m == nil {
		return
	}
	walk(m.ProtoReflect(), f)
}

func walk(m protoreflect.Message, f func(*artifactv1.Artifact)) {
	if a, ok := m.Interface().(*artifactv1.Artifact); ok {
		f(a)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || fd.IsMap() || !m.Has(fd) {
			continue
		}
		if !fd.IsList() {
			walk(m.Get(fd).Message(), f)
			continue
		}
		for j := range m.Get(fd).List().Len() {
			walk(m.Get(fd).List().Get(j).Message(), f)
		}
	}
}
