package policy

import (
	"fmt"
	"math"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// kind is a type of what rules can look at.
type kind struct {
	name   string
	typ    *cel.Type
	fields []field
}

// field is a part of a kind.
type field struct {
	name, says string
	typ        *cel.Type
	get        func(o *object) (any, error) // a bool, float64, int64, string, *object or []ref.Val
}

func newKind(name string, fields ...field) *kind {
	return &kind{name, cel.ObjectType(name), fields}
}

func (k *kind) field(name string) *field {
	for i := range k.fields {
		if k.fields[i].name == name {
			return &k.fields[i]
		}
	}
	return nil
}

// object is a value of a kind: a part of an evaluation. Every number, text and
// truth value that is read of it is noted.
type object struct {
	kind    *kind
	path    string // the expression that names it
	data    any
	missing string // why it is not there; empty if it is
	seen    *trace // may be nil
}

// at returns a part of the object.
func (o *object) at(k *kind, name string, data any) *object {
	return &object{kind: k, path: o.path + "." + name, data: data, seen: o.seen}
}

// exists is the name of the field that tells whether an object is there. It is the
// only one that can be read of one that is not.
const exists = "exists"

// read returns the value of a field.
func (o *object) read(f *field) (any, error) {
	path := o.path + "." + f.name
	if f.name == exists {
		o.seen.add(o.path, f.name, o.missing == "")
		return types.Bool(o.missing == ""), nil
	}
	if o.missing != "" {
		return nil, fmt.Errorf("%s: %s", path, o.missing)
	}
	v, err := f.get(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch v := v.(type) {
	case float64:
		o.seen.add(o.path, f.name, v)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, o.seen.fail(fmt.Errorf("%s is %v, which is no finite number", path, v))
		}
		return types.Double(v), nil
	case int64:
		o.seen.add(o.path, f.name, v)
		return types.Int(v), nil
	case string:
		o.seen.add(o.path, f.name, v)
		return types.String(v), nil
	case bool:
		o.seen.add(o.path, f.name, v)
		return types.Bool(v), nil
	case []ref.Val:
		return types.NewRefValList(types.DefaultTypeAdapter, v), nil
	case *object:
		o.seen.reach(v.path)
		return v, nil
	default:
		return v, nil
	}
}

// number returns the value of a field that holds a number.
func (o *object) number(name string) (float64, error) {
	v, err := o.read(o.kind.field(name))
	if err != nil {
		return 0, err
	}
	return float64(v.(types.Double)), nil
}

// ConvertToNative implements ref.Val: an object is none of Go's own types.
func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s cannot be converted to %v", o.path, t)
}

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return o.kind.typ
	}
	return types.NewErr("%s cannot be converted to %s", o.path, t.TypeName())
}

// Equal implements ref.Val: an object is equal to itself alone.
func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	return types.Bool(ok && p.path == o.path)
}

// Type implements ref.Val.
func (o *object) Type() ref.Type { return o.kind.typ }

// Value implements ref.Val.
func (o *object) Value() any { return o }

// provider tells CEL which fields the kinds have.
type provider struct {
	*types.Registry
	kinds map[string]*kind
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if k := p.kinds[name]; k != nil {
		return types.NewTypeTypeWithParam(k.typ), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	k := p.kinds[name]
	if k == nil {
		return p.Registry.FindStructFieldNames(name)
	}
	names := make([]string, len(k.fields))
	for i, f := range k.fields {
		names[i] = f.name
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, of string) (*types.FieldType, bool) {
	k := p.kinds[name]
	if k == nil {
		return p.Registry.FindStructFieldType(name, of)
	}
	f := k.field(of)
	if f == nil {
		return nil, false
	}
	return &types.FieldType{
		Type:  f.typ,
		IsSet: func(o any) bool { return o.(*object).missing == "" },
		GetFrom: func(o any) (any, error) {
			return o.(*object).read(f)
		},
	}, true
}
