package lightgbm

// result saves the model up to the iterations that are kept and scores with
// what was saved: the live booster has more trees.
func (s *session) result() (*Result, error) {
	r := &Result{Iterations: s.kept(), History: s.history}
	var err error
	if r.Model, err = s.save(r.Iterations); err != nil {
		return nil, err
	}
	if err = s.alike(r.Model); err != nil || !s.judges() {
		return r, err
	}
	if r.Importances, err = s.importances(r.Iterations); err != nil {
		return nil, err
	}
	return r, s.predict(r)
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

// predict fills in the scores and the contributions of the reference rows by the
// model text.
func (s *session) predict(r *Result) error {
	if len(s.reference) == 0 {
		return nil
	}
	var b handle
	var iterations int32
	if err := s.check("LoadModel", s.boosterLoad(string(r.Model), &iterations, &b)); err != nil {
		return err
	}
	defer s.boosterFree(b)
	var err error
	if r.Scores, err = s.predictions(b, predictNormal, s.options.ScoreRows, 1); err != nil {
		return err
	}
	r.Contributions, err = s.predictions(b, predictContrib, s.explained(r), len(s.data.Features)+1)
	return err
}

// Explaining a row visits every leaf of the model, and growing a tree every row.
const (
	leastExplained  = 100 // fewer would tell too little
	visitsPerGrowth = 0.6 // a third of the training's time goes into explaining
)

// explained is how many rows are explained: as many as are asked for, unless that
// would take long beside the training.
func (s *session) explained(r *Result) int {
	leaves := int64(r.Iterations)
	for _, i := range r.Importances {
		leaves += i.Splits
	}
	grown := float64(s.data.Rows[Train]) * float64(len(s.history))
	affordable := int(min(visitsPerGrowth*grown/float64(leaves), maxRows))
	return min(max(leastExplained, affordable), s.options.ContributionRows)
}

// predictions returns so many numbers of each of the first reference rows, which
// are at most so many.
func (s *session) predictions(b handle, kind int32, rows, numbers int) ([]float64, error) {
	width := len(s.data.Features)
	rows = min(rows, len(s.reference)/width)
	if rows == 0 {
		return nil, nil
	}
	out := make([]float64, rows*numbers)
	var n int64
	rc := s.boosterPredict(b, &s.reference[0], typeFloat64, int32(rows), int32(width), 1, kind, 0, -1, "", &n, &out[0])
	return out, s.check("Predict", rc)
}
