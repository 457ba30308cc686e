package test

import (
	"bytes"
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
