package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/asfotec/churn/pkg/stat"
)

// function is what the guide says of a function.
type function struct {
	name, call string
	result     *cel.Type
	says       string
	options    []cel.FunctionOpt
}

// functions are those that there are besides CEL's own.
var functions = []function{
	{"p_above", "p_above(difference, bound)", cel.DoubleType, "one-sided p-value of the difference being at most the bound: small if it is shown to be above", testOf("p_above", pAbove)},
	{"p_below", "p_below(difference, bound)", cel.DoubleType, "one-sided p-value of the difference being at least the bound: small if it is shown to be below", testOf("p_below", pBelow)},
	{"detectable", "detectable(difference, alpha, power)", cel.DoubleType, "smallest true distance from a bound that so many rows show at level alpha with that probability", []cel.FunctionOpt{
		cel.Overload("detectable_difference", []*cel.Type{differenceKind.typ, cel.DoubleType, cel.DoubleType}, cel.DoubleType, cel.FunctionBinding(detectable)),
	}},
	{"where", "slices.where(column, value)", sliceKind.typ, "the one slice of that column and value", []cel.FunctionOpt{
		cel.MemberOverload("slices_where", []*cel.Type{cel.ListType(sliceKind.typ), cel.StringType, cel.StringType}, sliceKind.typ, cel.FunctionBinding(where)),
	}},
	{"column", "drift.column(name)", columnDriftKind.typ, "the one column of that name", []cel.FunctionOpt{
		cel.MemberOverload("drift_column", []*cel.Type{driftKind.typ, cel.StringType}, columnDriftKind.typ, cel.BinaryBinding(column)),
	}},
	{"column", "data.column(name)", columnQualityKind.typ, "the one column of that name", []cel.FunctionOpt{
		cel.MemberOverload("data_column", []*cel.Type{dataKind.typ, cel.StringType}, columnQualityKind.typ, cel.BinaryBinding(column)),
	}},
}

// testOf declares a test of a difference, for bounds with and without decimals.
func testOf(name string, p func(d stat.Estimate, bound float64) float64) []cel.FunctionOpt {
	binding := cel.BinaryBinding(func(difference, bound ref.Val) ref.Val {
		d, err := estimate(difference)
		if err != nil {
			return types.WrapErr(err)
		}
		return types.Double(p(d, float(bound)))
	})
	return []cel.FunctionOpt{
		cel.Overload(name+"_double", []*cel.Type{differenceKind.typ, cel.DoubleType}, cel.DoubleType, binding),
		cel.Overload(name+"_int", []*cel.Type{differenceKind.typ, cel.IntType}, cel.DoubleType, binding),
	}
}

func pAbove(d stat.Estimate, bound float64) float64 { return d.PAbove(bound) }

func pBelow(d stat.Estimate, bound float64) float64 {
	return stat.Estimate{Value: -d.Value, Error: d.Error}.PAbove(-bound)
}

func detectable(args ...ref.Val) ref.Val {
	d, err := estimate(args[0])
	if err != nil {
		return types.WrapErr(err)
	}
	alpha, power := float(args[1]), float(args[2])
	if !(alpha > 0 && alpha < 1 && power > 0 && power < 1) {
		return types.NewErr("detectable: alpha %v and power %v must be above 0 and below 1", alpha, power)
	}
	return types.Double(d.Detectable(alpha, power))
}

// estimate reads a difference.
func estimate(v ref.Val) (d stat.Estimate, err error) {
	o := v.(*object)
	if d.Value, err = o.number("value"); err != nil {
		return d, err
	}
	d.Error, err = o.number("error")
	return d, err
}

// float returns a number, with decimals or without.
func float(v ref.Val) float64 {
	if i, ok := v.(types.Int); ok {
		return float64(i)
	}
	return float64(v.(types.Double))
}

func where(args ...ref.Val) ref.Val {
	column, value := string(args[1].(types.String)), string(args[2].(types.String))
	return find(args[0].(traits.Lister), func(o *object) bool {
		s := o.data.(slice)
		return s.GetColumn() == column && s.GetValue() == value
	}, "there is no slice of %q with value %q, or it has too few rows", column, value)
}

func column(of, name ref.Val) ref.Val {
	o := of.(*object)
	list, err := o.read(o.kind.field("columns"))
	if err != nil {
		return types.WrapErr(err)
	}
	return find(list.(traits.Lister), func(o *object) bool { return o.data.(named).GetName() == string(name.(types.String)) },
		"%s has no column %q", o.path, name)
}

// slice and named are what lists are looked through for.
type slice interface {
	GetColumn() string
	GetValue() string
}
type named interface{ GetName() string }

// find returns the first object of the list that is wanted.
func find(list traits.Lister, wanted func(*object) bool, otherwise string, args ...any) ref.Val {
	for it := list.Iterator(); it.HasNext() == types.True; {
		if o, ok := it.Next().(*object); ok && wanted(o) {
			return o
		}
	}
	return types.NewErr(otherwise, args...)
}
