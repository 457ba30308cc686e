package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/dns"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const (
	alertsFile    = "helm/churn/files/alerts.yaml"
	dashboardFile = "helm/churn/files/dashboard.json"
)

// metrics returns the labels of each metric that a program of the pipeline has, read
// out of the sources: those of a Vec are known only once they are used.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	quoted := regexp.MustCompile(`"([a-z_0-9]+)"`)
	all := map[string][]string{"process_cpu_seconds_total": {}, "process_resident_memory_bytes": {}}
	find := func(file string, metric *regexp.Regexp) {
		for _, m := range metric.FindAllStringSubmatch(string(read(t, inRepo(file))), -1) {
			all[m[1]] = []string{}
			for _, label := range quoted.FindAllStringSubmatch(m[2], -1) {
				all[m[1]] = append(all[m[1]], label[1])
			}
		}
	}
	inGo := regexp.MustCompile(`(?s)prometheus\.New\w+\(prometheus\.\w+Opts\{.*?Name:\s*"(\w+)".*?\n\t+\}(?:, \[\]string\{([^}]*)\})?[,)]`)
	for _, file := range contextFiles(t) {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			find(file, inGo)
		}
	}
	find("services/modelservice/modelservice/metrics.py", regexp.MustCompile(`(?:Counter|Gauge|Histogram)\(\s*"(\w+)",\s*"[^"]*"(?:,\s*\[([^\]]*)\])?`))
	if len(all) < 15 {
		t.Fatalf("only %d metrics were found: %v", len(all), slices.Sorted(maps.Keys(all)))
	}
	return all
}

// checkExpression: it is PromQL, of metrics that there are, with labels that they
// have or that Prometheus adds.
func checkExpression(t *testing.T, where, expression string) {
	t.Helper()
	all := metrics(t)
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	known := []string{"job", "instance", "le"}
	var used []string
	parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			name := n.Name
			if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); all[base] != nil {
				name = base
			}
			if all[name] == nil {
				t.Errorf("%s: there is no metric %s", where, n.Name)
			}
			known = append(known, all[name]...)
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					used = append(used, m.Name)
				}
			}
		case *parser.AggregateExpr:
			used = append(used, n.Grouping...)
		}
		return nil
	})
	for _, label := range used {
		if !slices.Contains(known, label) {
			t.Errorf("%s: %s has no label %s, but %v", where, expression, label, known)
		}
	}
}

// Every metric of the pipeline's own is documented, with its labels.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	_, doc, _ := strings.Cut(string(read(t, inRepo("docs/observability.md"))), "<!-- metrics -->")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(doc, -1) {
		documented[row[1]] = strings.TrimSpace(row[3])
	}
	for name, labels := range metrics(t) {
		if strings.HasPrefix(name, "process_") {
			continue
		}
		if got, is := documented[name]; !is || got != strings.Join(labels, ", ") {
			t.Errorf("docs/observability.md says of %s that its labels are %q; they are %q", name, got, labels)
		}
		delete(documented, name)
	}
	if len(documented) > 0 {
		t.Errorf("docs/observability.md has what there is not: %v", documented)
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	groups, errs := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	n := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			n++
			checkExpression(t, r.Alert, r.Expr)
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say how bad it is, what it is, and what to do: %v %v", r.Alert, r.Labels, r.Annotations)
			}
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
				if !strings.Contains(r.Expr, m[1]) {
					t.Errorf("%s speaks of the label %s, which its expression drops", r.Alert, m[1])
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d alerts", n)
	}
}

// The chart installs the alerts and the dashboard as they are.
func TestTheChartHasAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	m := mustRender(t, string(read(t, "testdata/values/production.yaml")))
	var want map[string]any
	if err := yaml.Unmarshal(read(t, alertsFile), &want); err != nil {
		t.Fatal(err)
	}
	got := m.get(t, "PrometheusRule", "churn", "spec", "groups")
	if a, b := fmt.Sprint(got), fmt.Sprint(want["groups"]); a != b {
		t.Errorf("the alerts are\n%s\nnot\n%s", a, b)
	}
	if got := m.get(t, "ConfigMap", "churn-dashboard", "data", "churn.json"); strings.TrimSpace(got.(string)) != strings.TrimSpace(string(read(t, dashboardFile))) {
		t.Error("the dashboard is another")
	}
}

// Prometheus itself reads its configuration, and the targets are where Compose has
// them.
func TestPrometheusConfiguration(t *testing.T) {
	t.Parallel()
	c, err := config.LoadFile("prometheus/prometheus.yml", false, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	p := mustLoad(t, "observability")
	port := func(service string) string {
		if service == "modelservice" {
			return p.Services[service].Command[slices.Index(p.Services[service].Command, "--port")+1]
		}
		_, port, err := net.SplitHostPort(*p.Services[service].Environment["HTTP_ADDR"])
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	var scraped []string
	for _, job := range c.ScrapeConfigs {
		for _, d := range job.ServiceDiscoveryConfigs {
			found, ok := d.(*dns.SDConfig)
			if !ok {
				t.Fatalf("job %s finds its targets by %s", job.JobName, d.Name())
			}
			for _, name := range found.Names {
				scraped = append(scraped, name)
				if fmt.Sprint(found.Port) != port(name) {
					t.Errorf("%s is asked at port %d, and listens at %s", name, found.Port, port(name))
				}
			}
		}
	}
	slices.Sort(scraped)
	if want := []string{"evaluator", "featurizer", "gate", "modelservice", "notifier", "trainer"}; !slices.Equal(scraped, want) {
		t.Errorf("it asks %v, not %v", scraped, want)
	}
	mounted := map[string]string{}
	for _, v := range p.Services["prometheus"].Volumes {
		mounted[v.Target] = v.Source
	}
	for _, path := range []string{"/etc/prometheus/prometheus.yml", "/etc/prometheus/rules/alerts.yaml"} {
		if mounted[path] == "" {
			t.Errorf("nothing is mounted at %s", path)
		}
	}
}

// dashboard is what of Grafana's model the dashboard is checked by.
type dashboard struct {
	UID, Title string
	Editable   bool
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  struct{ UID string }
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

// grafana puts in what Grafana would for its variables.
func grafana(expression string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$__interval", "1m", "$service", "gate").Replace(expression)
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.Editable {
		t.Errorf("it is %q, %q, editable %v", d.UID, d.Title, d.Editable)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x > 23 {
					t.Errorf("%q lies over %q, or over the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("panel %d %q has %d queries of %q", p.ID, p.Title, len(p.Targets), p.Datasource.UID)
		}
		for _, q := range p.Targets {
			checkExpression(t, p.Title, grafana(q.Expr))
			for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !strings.Contains(q.Expr, m[1]) {
					t.Errorf("%s: the legend speaks of %s", p.Title, m[1])
				}
			}
		}
	}
	for _, a := range d.Annotations.List {
		checkExpression(t, a.Name, grafana(a.Expr))
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			query := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(fmt.Sprint(v.Query.(map[string]any)["query"]))
			if query == nil || !slices.Contains(metrics(t)[query[1]], query[2]) {
				t.Errorf("the variable %s is %v", v.Name, v.Query)
			}
		}
	}
}

// The dashboard shows every metric that the pipeline has.
func TestDashboardShowsEveryMetric(t *testing.T) {
	t.Parallel()
	text := string(read(t, dashboardFile))
	for name := range metrics(t) {
		if !regexp.MustCompile(`\b`+name+`(_bucket|_count|_sum)?\b`).MatchString(text) && !slices.Contains(notShown, name) {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// notShown are metrics for alerts and for people who look further.
var notShown = []string{"modelservice_last_record_timestamp_seconds"}

// Grafana is provisioned with the source that Compose runs, and with the folder that
// the dashboard is mounted in.
func TestGrafanaIsProvisioned(t *testing.T) {
	t.Parallel()
	var sources struct {
		Datasources []struct {
			UID, Type, URL string
			IsDefault      bool
		}
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	for file, into := range map[string]any{"datasources/prometheus.yaml": &sources, "dashboards/churn.yaml": &providers} {
		if err := readYAML("grafana/provisioning/"+file, into); err != nil {
			t.Fatal(err)
		}
	}
	p := mustLoad(t, "observability")
	s := sources.Datasources[0]
	if len(sources.Datasources) != 1 || s.Type != "prometheus" || s.URL != "http://prometheus:"+p.Services["prometheus"].Ports[0].Published || !s.IsDefault {
		t.Errorf("the source is %+v", sources)
	}
	home := *p.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	for _, v := range p.Services["grafana"].Volumes {
		if v.Target != home {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil || !strings.HasPrefix(home, providers.Providers[0].Options.Path+"/") {
			t.Errorf("the dashboard is %s: %v", v.Source, err)
		}
		return
	}
	t.Errorf("nothing is mounted at %s", home)
}
