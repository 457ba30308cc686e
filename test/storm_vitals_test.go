package test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// vitals are what a process takes at a time.
type vitals struct {
	at                        time.Time
	memory, files, goroutines float64 // bytes resident, open, running
}

// watch keeps the vitals of every process that has an address for them.
type watch struct {
	seen map[string][]vitals // by process: "trainer 1234"
}

// sampleEvery is how often vitals are taken.
const sampleEvery = 5 * time.Second

// run takes vitals until ctx is done.
func (w *watch) run(ctx context.Context, processes []*stormProcess) {
	w.seen = map[string][]vitals{}
	for {
		for _, p := range processes {
			if v, err := vitalsAt(ctx, p.http); err == nil { // one that is dead or paused has none
				name := fmt.Sprintf("%s %d", p.name, p.PID())
				w.seen[name] = append(w.seen[name], v)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sampleEvery):
		}
	}
}

// vitalsAt reads a process's metrics.
func vitalsAt(ctx context.Context, addr string) (vitals, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return vitals{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return vitals{}, err
	}
	defer answer.Body.Close()
	v := vitals{at: time.Now()}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_resident_memory_bytes":
			v.memory = n
		case "process_open_fds":
			v.files = n
		case "go_goroutines":
			v.goroutines = n
		}
	}
	return v, lines.Err()
}

// growth is how the vitals of a process changed over its life: medians of its
// second and of its last fifth, so that neither its start nor a moment's load tells.
type growth struct {
	process     string
	minutes     float64
	early, late vitals
}

// growths returns those of the processes that lived for so long.
func (w *watch) growths(least time.Duration) []growth {
	var out []growth
	for name, all := range w.seen {
		if life := all[len(all)-1].at.Sub(all[0].at); life >= least {
			fifth := len(all) / 5
			out = append(out, growth{name, life.Minutes(), typical(all[fifth : 2*fifth]), typical(all[len(all)-fifth:])})
		}
	}
	slices.SortFunc(out, func(a, b growth) int { return strings.Compare(a.process, b.process) })
	return out
}

func typical(all []vitals) vitals {
	median := func(of func(vitals) float64) float64 {
		values := make([]float64, len(all))
		for i, v := range all {
			values[i] = of(v)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return vitals{
		memory: median(func(v vitals) float64 { return v.memory }), files: median(func(v vitals) float64 { return v.files }),
		goroutines: median(func(v vitals) float64 { return v.goroutines }),
	}
}

func (g growth) String() string {
	return fmt.Sprintf("%s, %.0f min: memory %.0f to %.0f MiB, files %.0f to %.0f, goroutines %.0f to %.0f", g.process, g.minutes,
		g.early.memory/(1<<20), g.late.memory/(1<<20), g.early.files, g.late.files, g.early.goroutines, g.late.goroutines)
}

// leaks reports whether it goes on growing: more than what a garbage collector and
// pools of connections go up and down by.
func (g growth) leaks() bool {
	return g.late.files > g.early.files+10 || g.late.goroutines > g.early.goroutines+20 || g.late.memory > 1.3*g.early.memory+32<<20
}
