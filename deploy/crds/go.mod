// KEDA's custom resource definitions, for the tests alone: they are read out of
// its module, which is pinned here by digest, and nothing of it is compiled.
module github.com/asfotec/churn/deploy/crds

go 1.26.0

require github.com/kedacore/keda/v2 v2.21.0
