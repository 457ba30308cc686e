// Package data carries the built-in dataset spec.
package data

import _ "embed"

// TelcoSpec is the YAML spec of the public Telco churn columns.
//
//go:embed telco_churn.yaml
var TelcoSpec []byte
