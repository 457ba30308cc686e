package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types/ref"
)

// expression is one of CEL, type-checked and ready to be evaluated, also at several
// places at once.
type expression struct {
	text    string
	program cel.Program
	ast     *cel.Ast
	cost    uint64 // at most, of evaluating it
}

// compiler compiles the expressions of one policy, within what they may come to.
type compiler struct {
	expressions int
	cost        uint64
}

// compile reads an expression, whose result must be of one of the types.
func (c *compiler) compile(text string, want ...*cel.Type) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, explainIssues(issues)
	}
	if err := permitted(tree.NativeRep()); err != nil {
		return nil, err
	}
	if got := tree.OutputType(); !slices.ContainsFunc(want, got.IsExactType) {
		names := make([]string, len(want))
		for i, t := range want {
			names[i] = t.String()
		}
		return nil, fmt.Errorf("is of type %s; it must be of type %s", got, strings.Join(names, " or "))
	}
	estimate, err := env.EstimateCost(tree, sizes{})
	if err != nil {
		return nil, err
	}
	if estimate.Max > maxCost {
		return nil, fmt.Errorf("could cost %d units to evaluate, with lists of %d elements; at most %d are allowed", estimate.Max, maxList, maxCost)
	}
	if err := c.spend(estimate.Max); err != nil {
		return nil, err
	}
	program, err := env.Program(tree, cel.CostLimit(maxCost))
	return &expression{text, program, tree, estimate.Max}, err
}

// spend counts an expression that is evaluated, at such a cost.
func (c *compiler) spend(cost uint64) error {
	c.expressions++
	c.cost += cost
	switch {
	case c.expressions > maxAll:
		return fmt.Errorf("is one too many: a policy may have %d expressions, those in words included", maxAll)
	case c.cost > maxAllCost:
		return fmt.Errorf("is one too many: the policy's expressions could cost %d units to evaluate, with lists of %d elements; at most %d are allowed",
			c.cost, maxList, maxAllCost)
	}
	return nil
}

// permitted refuses what CEL has and rules need not: what escapes the type check, and
// what has no order.
func permitted(tree *ast.AST) error {
	var err error
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "dyn":
			err = errors.New("dyn() is not allowed: an expression's types are checked when the policy is read")
		case e.Kind() == ast.MapKind:
			err = errors.New("maps are not allowed: they have no order")
		case e.Kind() == ast.StructKind:
			err = fmt.Errorf("a %s cannot be made up", e.AsStruct().TypeName())
		}
	}))
	return err
}

// explainIssues says what is wrong with an expression, where, and what may have been
// meant.
func explainIssues(issues *cel.Issues) error {
	var all []string
	for _, e := range issues.Errors() {
		text := fmt.Sprintf("at line %d, character %d of the expression: %s", e.Location.Line(), e.Location.Column()+1, strings.TrimSuffix(e.Message, " (in container '')"))
		if near := suggest(e.Message); near != "" {
			text += fmt.Sprintf(" (did you mean '%s'?)", near)
		}
		all = append(all, text)
	}
	return errors.New(clip(strings.Join(all, "; "), maxExplanation))
}

// comparisons are the operators whose operands a verdict shows.
var comparisons = []string{
	operators.LessEquals, operators.Less, operators.GreaterEquals, operators.Greater, operators.Equals, operators.NotEquals,
}

// operands returns both sides of an expression if it compares two numbers, and else
// nil.
func (c *compiler) operands(x *expression) (left, right *expression, err error) {
	tree := x.ast.NativeRep()
	if tree.Expr().Kind() != ast.CallKind || !slices.Contains(comparisons, tree.Expr().AsCall().FunctionName()) {
		return nil, nil, nil
	}
	var sides [2]*expression
	for i, arg := range tree.Expr().AsCall().Args() {
		if t := tree.GetType(arg.ID()); !t.IsExactType(cel.DoubleType) && !t.IsExactType(cel.IntType) {
			return nil, nil, nil
		}
		text, err := cel.ExprToString(arg, tree.SourceInfo())
		if err != nil {
			return nil, nil, err
		}
		if sides[i], err = c.compile(text, cel.DoubleType, cel.IntType); err != nil {
			return nil, nil, err
		}
	}
	return sides[0], sides[1], nil
}

// evaluate returns the expression's value, and notes in seen, which may be nil, what
// it looked at.
func (x *expression) evaluate(e Evidence, seen *trace) (ref.Val, error) {
	v, _, err := x.program.Eval(&view{evidence: e, seen: seen})
	if seen != nil && seen.err != nil {
		return nil, seen.err
	}
	return v, err
}

// truth returns the value of an expression that is true or false.
func (x *expression) truth(e Evidence, seen *trace) (bool, error) {
	v, err := x.evaluate(e, seen)
	if err != nil {
		return false, err
	}
	b, ok := v.Value().(bool)
	if !ok {
		return false, fmt.Errorf("%s is neither true nor false", x.text)
	}
	return b, nil
}
