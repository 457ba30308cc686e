package test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// answer is what ModelService says to a row.
type answer struct {
	Model struct {
		Version int64  `json:"version"`
		Run     string `json:"run"`
	} `json:"model"`
	Predictions []struct {
		Probability float64 `json:"probability"`
	} `json:"predictions"`
}

func TestServingThroughTwentyPromotions(t *testing.T) {
	t.Parallel()
	const promotions = 20
	s := newStack(t)
	url := s.up().ModelService
	s.want(0, nil, request("0")...)
	awaitVersion(t, url, 1)

	row := jsonRow(t, 0)
	stop := make(chan struct{})
	var load sync.WaitGroup
	var mu sync.Mutex
	served, failures, requests := map[int64]int{}, []string{}, 0
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := ask(url, row)
				mu.Lock()
				requests++
				if err != nil {
					failures = append(failures, err.Error())
				} else {
					served[a.Model.Version]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range promotions {
		s.want(0, nil, request(fmt.Sprint(i+1))...)
	}
	awaitVersion(t, url, promotions+1)
	close(stop)
	load.Wait()
	if len(failures) > 0 {
		t.Errorf("%d of %d requests failed: %s", len(failures), requests, failures[0])
	}
	versions := slices.Sorted(maps.Keys(served))
	if len(versions) < promotions || versions[len(versions)-1] > promotions+1 || versions[0] < 1 {
		t.Errorf("answers named versions %v", versions)
	}
	t.Logf("%d requests, none failed, by version %v", requests, served)
}

// ModelService starts cold from the compacted table.
func TestServingAfterARestart(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.want(0, nil, request("1")...)
	s.want(0, nil, request("2")...)
	url := s.up().ModelService
	awaitVersion(t, url, 2)
	if a, err := ask(url, jsonRow(t, 0)); err != nil || a.Model.Version != 2 {
		t.Errorf("answer %+v, %v", a, err)
	}
}

// Promotions of artifacts that are not what they should be are refused, and
// what was served goes on being served; so do records that are no events.
func TestABadPromotionIsNotServed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	stack := s.up()
	s.want(0, nil, request("1")...)
	awaitVersion(t, stack.ModelService, 1)
	b, err := kafka.New(kafka.Config{Brokers: []string{stack.Broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	good := newest(t, b, churn.ModelPromoted.Name(churn.DefaultPrefix))
	for _, topic := range []churn.Topic{churn.ModelPromoted, churn.ModelCurrent} {
		name := topic.Name(churn.DefaultPrefix)
		if err := b.Publish(t.Context(), damaged(t, good, topic), bus.Record{Topic: name, Key: []byte("churn-classifier"), Value: []byte("\xff no event")}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the refusals to be counted", func() error {
		_, text, err := fetch(stack.ModelService + "/metrics")
		// The two records that are no events, and one promotion in two events.
		if err == nil && !strings.Contains(text, `modelservice_promotions_total{outcome="refused"} 3.0`) {
			err = fmt.Errorf("%s", text)
		}
		return err
	})
	if a, err := ask(stack.ModelService, jsonRow(t, 0)); err != nil || a.Model.Version != 1 {
		t.Errorf("answer %+v, %v", a, err)
	}
	s.want(0, nil, request("2")...) // of the generation that the bad one claimed
	awaitVersion(t, stack.ModelService, 2)
}

// damaged returns a promotion of the next generation whose model is not the
// object that it names.
func damaged(t *testing.T, good bus.Record, topic churn.Topic) bus.Record {
	t.Helper()
	e, err := event.Decode(good, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	m := proto.CloneOf(e.Data.(*eventv1.ModelPromoted))
	m.Generation, m.Version = m.Generation+1, m.Version+1
	m.Candidate.Model.Sha256 = strings.Repeat("0", 64)
	e.ID, e.Topic, e.Data = "damaged", topic, m
	r, err := event.Encode(e, churn.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newest returns the last record of a topic.
func newest(t *testing.T, b bus.Bus, topic string) (last bus.Record) {
	t.Helper()
	err := b.Read(t.Context(), topic, nil, false, func(_ context.Context, r bus.Record) error {
		if len(r.Headers) > 0 {
			last = r
		}
		return nil
	})
	if err != nil || last.Topic == "" {
		t.Fatalf("nothing in %s: %v", topic, err)
	}
	return last
}

func fetch(url string) (status int, body string, err error) {
	res, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func ask(url string, row []byte) (a answer, err error) {
	res, err := http.Post(url+"/predict", "application/json", bytes.NewReader(row))
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	if res.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s: %s", res.Status, body)
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Model.Version == 0 || a.Model.Run == "" {
		return a, fmt.Errorf("the answer names no version: %s", body)
	}
	return a, nil
}

func awaitVersion(t *testing.T, url string, version int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("version %d to be served", version), func() error {
		res, err := http.Get(url + "/model")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var m struct {
			Version int64 `json:"version"`
		}
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			return err
		}
		if m.Version < version {
			return fmt.Errorf("version %d is served", m.Version)
		}
		return nil
	})
}

// jsonRow returns the i-th row of the Telco file as a request body.
func jsonRow(t *testing.T, i int) []byte {
	t.Helper()
	file, err := os.Open(telco())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]string{}
	for j, name := range records[0] {
		row[strings.TrimSpace(name)] = records[i+1][j]
	}
	body, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
