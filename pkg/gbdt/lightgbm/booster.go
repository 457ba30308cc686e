package lightgbm

// result saves the model up to the iterations that are kept and scores with
// what was saved: the live booster has more trees.
func (s *session) result() (*Result, error) {
	r := &Result{Iterations: s.kept(), History: s.history}
	var err error
	if r.Model, err = s.save(r.Iterations); err != nil {
		return nil, err
	}
	if r.Importances, err = s.importances(r.Iterations); err != nil {
		return nil, err
	}
	r.Scores, err = s.score(r.Model)
	return r, err
}

// save returns the model text of the first iterations.
func (s *session) save(iterations int) ([]byte, error) {
	buffer := make([]byte, 1<<20)
	for {
		var size int64 // with the final zero byte
		rc := s.boosterSave(s.booster, 0, int32(iterations), importanceSplit, int64(len(buffer)), &size, &buffer[0])
		if err := s.check("SaveModel", rc); err != nil {
			return nil, err
		}
		if size <= int64(len(buffer)) {
			return buffer[:size-1], nil
		}
		buffer = make([]byte, size)
	}
}

func (s *session) importances(iterations int) ([]Importance, error) {
	gain, split := make([]float64, len(s.data.Features)), make([]float64, len(s.data.Features))
	if err := s.check("Importance", s.boosterImportance(s.booster, int32(iterations), importanceGain, &gain[0])); err != nil {
		return nil, err
	}
	if err := s.check("Importance", s.boosterImportance(s.booster, int32(iterations), importanceSplit, &split[0])); err != nil {
		return nil, err
	}
	out := make([]Importance, len(gain))
	for i, name := range s.data.Features {
		out[i] = Importance{Feature: name, Gain: gain[i], Splits: int64(split[i])}
	}
	return out, nil
}

// score returns the probability of each reference row by the model text.
func (s *session) score(model []byte) ([]float64, error) {
	width := len(s.data.Features)
	rows := len(s.reference) / width
	if rows == 0 {
		return nil, nil
	}
	var b handle
	var iterations int32
	if err := s.check("LoadModel", s.boosterLoad(string(model), &iterations, &b)); err != nil {
		return nil, err
	}
	defer s.boosterFree(b)
	out := make([]float64, rows)
	var n int64
	rc := s.boosterPredict(b, &s.reference[0], typeFloat64, int32(rows), int32(width), 1, predictNormal, 0, -1, "", &n, &out[0])
	return out, s.check("Predict", rc)
}
