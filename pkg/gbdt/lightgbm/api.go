package lightgbm

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/asfotec/churn/pkg/churn"
)

// handle is a pointer to one of LightGBM's own objects.
type handle uintptr

// LightGBM's names for element types, kinds of prediction and of importance.
const (
	typeFloat32     = 0
	typeFloat64     = 1
	predictNormal   = 0
	predictContrib  = 3
	importanceSplit = 0
	importanceGain  = 1
)

// api is the part of LightGBM's C API in use. But for lastError, functions
// return 0 or, after a failure, -1.
type api struct {
	lastError     func() string
	setMaxThreads func(n int32) int32
	networkInit   func(machines, rank int32, reduceScatter, allgather uintptr) int32
	networkFree   func() int32

	sampleCount   func(rows int32, params string, out *int32) int32
	sampleIndices func(rows int32, params string, out *int32, n *int32) int32

	datasetFromSample func(values, indices unsafe.Pointer, columns int32, perColumn *int32, sampled, localRows int32,
		allRows int64, params string, out *handle) int32
	datasetByReference func(reference handle, rows int64, out *handle) int32
	datasetPush        func(d handle, x *float64, elem, rows, columns, start int32) int32
	datasetSetField    func(d handle, field string, data *float32, n, elem int32) int32
	datasetSetNames    func(d handle, names unsafe.Pointer, n int32) int32
	datasetFree        func(d handle) int32

	boosterCreate     func(train handle, params string, out *handle) int32
	boosterAddValid   func(b, valid handle) int32
	boosterUpdate     func(b handle, finished *int32) int32
	boosterEval       func(b handle, data int32, n *int32, out *float64) int32
	boosterScores     func(b handle, data int32, n *int64, out *float64) int32
	boosterSave       func(b handle, start, iterations, importance int32, size int64, outSize *int64, out *byte) int32
	boosterLoad       func(text string, iterations *int32, out *handle) int32
	boosterImportance func(b handle, iterations, kind int32, out *float64) int32
	boosterPredict    func(b handle, x *float64, elem, rows, columns, rowMajor, kind, start, iterations int32,
		params string, n *int64, out *float64) int32
	boosterFree func(b handle) int32
}

// register binds every function to the loaded library.
func (a *api) register(library uintptr) error {
	for _, f := range []struct {
		to   any
		name string
	}{
		{&a.lastError, "LGBM_GetLastError"},
		{&a.setMaxThreads, "LGBM_SetMaxThreads"},
		{&a.networkInit, "LGBM_NetworkInitWithFunctions"},
		{&a.networkFree, "LGBM_NetworkFree"},
		{&a.sampleCount, "LGBM_GetSampleCount"},
		{&a.sampleIndices, "LGBM_SampleIndices"},
		{&a.datasetFromSample, "LGBM_DatasetCreateFromSampledColumn"},
		{&a.datasetByReference, "LGBM_DatasetCreateByReference"},
		{&a.datasetPush, "LGBM_DatasetPushRows"},
		{&a.datasetSetField, "LGBM_DatasetSetField"},
		{&a.datasetSetNames, "LGBM_DatasetSetFeatureNames"},
		{&a.datasetFree, "LGBM_DatasetFree"},
		{&a.boosterCreate, "LGBM_BoosterCreate"},
		{&a.boosterAddValid, "LGBM_BoosterAddValidData"},
		{&a.boosterUpdate, "LGBM_BoosterUpdateOneIter"},
		{&a.boosterEval, "LGBM_BoosterGetEval"},
		{&a.boosterScores, "LGBM_BoosterGetPredict"},
		{&a.boosterSave, "LGBM_BoosterSaveModelToString"},
		{&a.boosterLoad, "LGBM_BoosterLoadModelFromString"},
		{&a.boosterImportance, "LGBM_BoosterFeatureImportance"},
		{&a.boosterPredict, "LGBM_BoosterPredictForMat"},
		{&a.boosterFree, "LGBM_BoosterFree"},
	} {
		symbol, err := purego.Dlsym(library, f.name)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		purego.RegisterFunc(f.to, symbol)
	}
	return nil
}

// check turns a function's return value into an error. LightGBM keeps the
// message for each thread: the caller has locked its own.
func (a *api) check(op string, returned int32) error {
	if returned == 0 {
		return nil
	}
	return churn.Errorf("lightgbm."+op, churn.Internal, "LightGBM: %s", a.lastError())
}
