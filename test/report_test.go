package test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The reports of real runs, looked at in a browser: nothing is fetched and nothing
// goes wrong, every image is one, and everything has room on a screen, on a phone
// and in the dark.
func TestReportInABrowser(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	browser := startBrowser(t)
	for _, run := range []struct {
		name      string
		arguments []string
		code      int
		sections  string
	}{
		{"first", nil, 0, "Promoted as version 1 to Production"},
		{"beside-a-champion", []string{"--num-leaves", "16"}, 0, "Promoted as version 2 to Production"},
		{"rejected", []string{"--min-auc", "0.99"}, 3, "Rejected"},
	} {
		var d struct{ Run string }
		s.want(run.code, &d, request(run.name, run.arguments...)...)
		file := filepath.Join(s.dir, run.name+".html")
		s.want(0, nil, "report", d.Run, "--out", file)
		sections := strings.Split(run.sections+"|Decision|Metrics on the hold-out|Curves|Calibration|Classes|"+
			"What the candidate looks at|Slices|Drift|Data quality|Model card", "|")
		for _, screen := range []struct {
			name          string
			width, height int64
			dark          bool
		}{{"screen", 1280, 800, false}, {"phone", 390, 844, false}, {"dark", 1280, 800, true}} {
			t.Run(run.name+"/"+screen.name, func(t *testing.T) {
				seen := browser.look(t, file, screen.width, screen.height, screen.dark)
				seen.check(t, sections)
			})
		}
	}
}

// browser is a running Chromium.
type browser struct{ ctx context.Context }

func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := filepath.Join(root, "build/browser/chromium")
	if !exists(program) {
		t.Fatal("build/browser is missing: run `make browser`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() { end(); stop() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// page is what the browser says of a report.
type page struct {
	Title    string
	Sections []string
	Images   []string // that have no size, or nothing in their place
	Wide     []string // that have no room in the page
	Faint    []string // texts that are too like their ground
	Width    int

	noted
}

// noted is what was asked of the network and what was complained about.
type noted struct {
	loads      int // of the report itself
	requests   []string
	complaints []string // of the console and the engine
}

// look opens the file in a window of the size.
func (b *browser) look(t *testing.T, file string, width, height int64, dark bool) *page {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	address := (&url.URL{Scheme: "file", Path: file}).String()
	var heard noted
	if err := chromedp.Listen(ctx, heard.listen(address)); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (*page, error) {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}); err != nil {
			return nil, err
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), chromedp.Navigate(address)); err != nil {
			return nil, err
		}
		return chromedp.Run(ctx, chromedp.Evaluate[*page](inspect))
	})
	if err != nil {
		t.Fatal(err)
	}
	p.noted = heard
	keepScreenshot(ctx, t)
	return p
}

// keepScreenshot writes what the page looks like into the folder that
// CHURN_SCREENSHOTS names, if it does.
func keepScreenshot(ctx context.Context, t *testing.T) {
	t.Helper()
	if folder := os.Getenv("CHURN_SCREENSHOTS"); folder != "" {
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestReportInABrowser/"), "/", "-") + ".png"
		if err := os.WriteFile(filepath.Join(folder, name), shot, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// listen notes the browser's events.
func (n *noted) listen(address string) func(any) {
	return func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			switch u := e.Request.URL; {
			case u == address:
				n.loads++
			case !strings.HasPrefix(u, "data:"):
				n.requests = append(n.requests, u)
			}
		case *log.EventEntryAdded:
			n.complaints = append(n.complaints, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			n.complaints = append(n.complaints, fmt.Sprint("console: ", e.Type))
		case *runtime.EventExceptionThrown:
			n.complaints = append(n.complaints, e.ExceptionDetails.Text)
		}
	}
}

func (p *page) check(t *testing.T, sections []string) {
	t.Helper()
	if got, want := strings.Join(p.Sections, "|"), strings.Join(sections, "|"); got != want {
		t.Errorf("the sections are %s, want %s", got, want)
	}
	if p.loads != 1 {
		t.Errorf("the browser has told of %d loads of the report, want 1", p.loads)
	}
	for what, found := range map[string][]string{
		"requests": p.requests, "complaints": p.complaints, "images that are none": p.Images,
		"elements without room": p.Wide, "texts too faint to read": p.Faint,
	} {
		if len(found) > 0 {
			t.Errorf("%d %s: %.1000q", len(found), what, found)
		}
	}
}

// inspect finds what is wrong in the page. Contrast is by the formula of WCAG 2.1,
// whose level AA is 4.5.
const inspect = `(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (e) => e.tagName + ": " + (e.textContent || "").trim().slice(0, 40);
  const room = document.documentElement.clientWidth;
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const contrast = (e) => {
    const [a, b] = [luminance(channels(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const written = all("body *").filter((e) => !e.closest("svg") && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return {
    Title: document.title,
    Sections: all("h2").map((e) => e.textContent),
    Images: all("img").filter((e) => !e.complete || !e.naturalWidth || !e.alt).map((e) => e.alt || "without a text"),
    Wide: all("body *").filter((e) => !e.closest("svg") && e.offsetParent && e.getBoundingClientRect().right > room + 1).map(name)
      .concat(all(".scroll").filter((e) => e.scrollWidth > e.clientWidth + 1).map(name))
      .concat(document.documentElement.scrollWidth > room ? ["the page"] : []),
    Faint: written.filter((e) => e.offsetParent && contrast(e) < 4.5).map((e) => name(e) + " " + contrast(e).toFixed(2)),
    Width: room,
  };
})()`
