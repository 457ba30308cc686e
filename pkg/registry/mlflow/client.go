package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/semaphore"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage/fault"
)

const (
	// callTime is how long one call may take. MLflow on a file of SQLite makes
	// writers wait for one another.
	callTime = 30 * time.Second
	// calls at a time: MLflow's own connections to its database are few, and it can
	// come to a standstill when calls hold all of them.
	calls = 4
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 32 << 20
	// maxPages bounds how many pages are read of what MLflow lists in pages, a
	// thousand a page.
	maxPages = 100
	// attempts at one call that MLflow is too busy for, as its own database can
	// make it; the stage tries again later.
	attempts = 4
	// pause before the second attempt, and twice as long before each later one.
	pause = 100 * time.Millisecond

	apiPath = "/api/2.0/mlflow/"
)

// Config says where the server is and how to be let in. The names in the
// comments are those of the environment variables that errors refer to.
type Config struct {
	URI      string // http(s)://host:port, and a path where the server has one (MLFLOW_TRACKING_URI)
	Username string // MLFLOW_TRACKING_USERNAME
	Password string // MLFLOW_TRACKING_PASSWORD
	Token    string // MLFLOW_TRACKING_TOKEN
	// Databricks says that the server is a Databricks workspace, where an
	// experiment's name is a path.
	Databricks bool
	// Transport makes the connections; nil means the standard one.
	Transport http.RoundTripper
	// Objects reaches the store of runs whose artifacts are at s3://; nil means
	// that there is none.
	Objects *minio.Client
}

// Client calls one MLflow server. It is safe for concurrent use.
type Client struct {
	config Config
	base   string // without a slash at the end
	http   *http.Client
	free   *semaphore.Weighted // calls
}

// NewClient returns a client. It does not connect. Errors are Invalid and name
// the setting.
func NewClient(c Config) (*Client, error) {
	const op = "mlflow.NewClient"
	u, err := url.Parse(c.URI)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, churn.Errorf(op, churn.Invalid, "%s must be http(s)://host:port, with a path if need be", c.place())
	}
	switch {
	case u.User != nil:
		return nil, churn.Errorf(op, churn.Invalid, "%s holds credentials: set %s instead", c.place(), c.credentials())
	case (c.Username == "") != (c.Password == ""):
		return nil, churn.Errorf(op, churn.Invalid, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD go together")
	case c.Username != "" && c.Token != "":
		return nil, churn.Errorf(op, churn.Invalid,
			"MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_USERNAME are both set: the server takes one of them")
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	return &Client{
		free:   semaphore.NewWeighted(calls),
		config: c,
		base:   u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"),
		http: &http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Ping returns nil if the server answers and lets the client in.
func (c *Client) Ping(ctx context.Context) error {
	err := c.try(ctx, "POST", "experiments/search", map[string]any{"max_results": 1}, &struct{}{})
	return unblamed("mlflow.Ping", err) // there is nothing wrong with that request
}

// ask calls what changes nothing. in is the body, or the query of a GET as
// url.Values; out is filled in from the answer unless it is nil.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	return c.blame(ctx, c.try(ctx, method, path, in, out))
}

// blame tells the defect of a server from that of a request, by another request:
// a server that answers none as it should is as good as away.
func (c *Client) blame(ctx context.Context, err error) error {
	if churn.IsKind(err, churn.Internal) && c.Ping(ctx) != nil {
		return churn.E("mlflow.blame", churn.Transient, err)
	}
	return err
}

// try calls, and again where the server is busy.
func (c *Client) try(ctx context.Context, method, path string, in, out any) error {
	var err error
	for n := range attempts {
		if n > 0 && !sleep(ctx, pause<<(n-1)) {
			break
		}
		if err = c.call(ctx, method, path, in, out); !errors.As(err, new(busy)) {
			break
		}
	}
	return err
}

// change calls what changes something. A test can kill the process before and
// after, at a point named by path and by what is changed. Such a call may be
// repeated: it does nothing the second time, or its caller looks for doubles.
func (c *Client) change(ctx context.Context, method, path, what string, in, out any) error {
	point := "mlflow." + path + "." + what
	fault.Point(point + ".before")
	if err := c.ask(ctx, method, path, in, out); err != nil {
		return err
	}
	fault.Point(point + ".after")
	return nil
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	const op = "mlflow.call"
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	address, body := c.base+apiPath+path, []byte(nil)
	if query, ok := in.(url.Values); ok {
		address += "?" + query.Encode()
	} else {
		var err error
		if body, err = json.Marshal(in); err != nil { // a number that JSON does not have
			return churn.Errorf(op, churn.Invalid, "%s: %w", path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return churn.E(op, churn.Internal, err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := c.send(path, req)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return churn.Errorf(op, churn.Internal, "%s answered %s with what is not MLflow's JSON: is %s an MLflow server's?: %w",
			c.base, path, c.config.place(), err)
	}
	return nil
}

// send sends a request with the credentials and returns the body of its answer,
// or an error that has a kind.
func (c *Client) send(path string, req *http.Request) (body []byte, err error) {
	if err := c.free.Acquire(req.Context(), 1); err != nil {
		return nil, c.away(path, err)
	}
	defer c.free.Release(1)
	switch {
	case c.config.Username != "":
		req.SetBasicAuth(c.config.Username, c.config.Password)
	case c.config.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	res, err := c.http.Do(req) //nolint:gosec // to the server that the configuration names
	if err != nil {
		return nil, c.away(path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.away(path, err)
	case len(body) > maxAnswer:
		return nil, churn.Errorf("mlflow.send", churn.Internal, "%s answered %s with more than %d bytes", c.base, path, maxAnswer)
	case res.StatusCode != http.StatusOK:
		return nil, c.refused(path, res, body)
	}
	return body, nil
}

// pages calls read with the token of each page, that of the first empty, until
// there is no next one.
func (c *Client) pages(path string, read func(token string) (next string, err error)) error {
	token := ""
	for range maxPages {
		next, err := read(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
	return churn.Errorf("mlflow.pages", churn.Internal, "MLflow at %s answers %s with more than %d pages", c.base, path, maxPages)
}

// Transport returns a transport for Config, which the caller may give the
// authorities that the server's certificate is checked against.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}

// sleep pauses, and reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
