package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Name is something that an expression can be made of, for people to look up.
type Name struct {
	Name string `json:"name"` // as an expression has it; of what is in a list with [] behind the list's name
	Type string `json:"type"`
	Says string `json:"says"`
}

// Names returns all that expressions can be made of besides CEL's own.
func Names() []Name {
	var all []Name
	for _, v := range variables {
		all = append(all, Name{v.name, v.typ.String(), v.says})
		all = append(all, parts(v.name, v.typ)...)
	}
	for _, f := range functions {
		all = append(all, Name{f.call, f.result.String(), f.says})
	}
	return all
}

// parts returns the names of what is within something of the type. The parts of a
// difference are the same everywhere, and told once.
func parts(path string, t *cel.Type) []Name {
	if t.Kind() == types.ListKind {
		path, t = path+"[]", t.Parameters()[0]
	}
	var all []Name
	for _, k := range kinds {
		if k.name != t.TypeName() {
			continue
		}
		for _, f := range k.fields {
			all = append(all, Name{path + "." + f.name, f.typ.String(), f.says})
			if f.typ != differenceKind.typ && f.typ != metricsKind.typ || path == "comparison" && f.name == "auc" {
				all = append(all, parts(path+"."+f.name, f.typ)...)
			}
		}
	}
	return all
}
