package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

const (
	maxExpression = 2000 // characters
	maxNodes      = 1000 // of an expression, macros expanded
	maxDepth      = 50
	maxCost       = 1_000_000  // of evaluating one, in CEL's units: some milliseconds
	maxAll        = 500        // expressions of a policy, those in words included
	maxAllCost    = 10_000_000 // of evaluating all of them
	maxList       = 2000       // elements that a list may have; as many as a spec's columns
	maxWord       = 256        // characters that a text may have
)

// environment is what expressions can be made of: the variables and functions of
// this package, and CEL's own, which know no clock and no randomness.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	p := &provider{registry, map[string]*kind{}}
	for _, k := range kinds {
		p.kinds[k.name] = k
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(p), cel.CrossTypeNumericComparisons(true), cel.EnableMacroCallTracking(), ext.Math(),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ExpressionNodeLimit(maxNodes), cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(1), cel.RegexProgramSizeLimit(maxExpression), cel.HomogeneousAggregateLiterals(),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.typ))
	}
	for _, f := range functions {
		options = append(options, cel.Function(f.name, f.options...))
	}
	return cel.NewEnv(options...)
})

// sizes bounds lists and texts, to estimate what an expression costs.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	switch {
	case n.Type() == nil || n.ComputedSize() != nil:
		return nil
	case n.Type().Kind() == types.ListKind:
		return &cost.SizeEstimate{Max: maxList}
	case n.Type().Kind() == types.StringKind:
		return &cost.SizeEstimate{Max: maxWord}
	}
	return nil
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
