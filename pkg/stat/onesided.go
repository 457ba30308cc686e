package stat

import "gonum.org/v1/gonum/stat/distuv"

// PAbove returns the one-sided p-value of the value being at most bound, by its
// normal approximation: how likely so large a value would be. Without an error
// there is no chance: 0 if the value is above the bound, and 1 otherwise.
//
// With a bound of 0 it is the test of superiority; with one of -margin that of
// non-inferiority (Blackwelder, Controlled Clinical Trials 3 (1982) 345–353).
func (e Estimate) PAbove(bound float64) float64 {
	switch {
	case e.Error > 0:
		return distuv.UnitNormal.Survival((e.Value - bound) / e.Error)
	case e.Value > bound:
		return 0
	}
	return 1
}

// Detectable returns the smallest true difference from the bound that a one-sided
// test at level alpha shows with probability power, were the error as it is:
// (z(1-alpha) + z(power)) · error.
func (e Estimate) Detectable(alpha, power float64) float64 {
	return (distuv.UnitNormal.Quantile(1-alpha) + distuv.UnitNormal.Quantile(power)) * e.Error
}
