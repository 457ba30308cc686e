package mlflow

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/asfotec/churn/pkg/churn"
)

// maxMessage bounds what is repeated of a server's message, in bytes.
const maxMessage = 500

// awayCodes are answers of a server, or of a proxy before it, that is not there
// for anyone.
var awayCodes = []int{
	http.StatusTooManyRequests, http.StatusRequestTimeout,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// busy is an error of a server that answers, and that may answer otherwise soon.
type busy struct{ error }

func (b busy) Unwrap() error { return b.error }

// unblamed is the error of a call that is not to blame for it: a server that is
// busy, or broken, is as good as away.
func unblamed(op string, err error) error {
	if errors.As(err, new(busy)) {
		return churn.E(op, churn.Transient, err)
	}
	return err
}

// away is the error of a server that does not answer.
func (c *Client) away(path string, err error) error {
	if e := new(url.Error); errors.As(err, &e) {
		err = e.Err // the rest repeats the address, with its query
	}
	const op = "mlflow.send"
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return churn.Errorf(op, churn.Denied, "MLflow at %s shows a certificate that is not trusted: check MLFLOW_TRACKING_SERVER_CERT_PATH, "+
			"and that %s has a name in it: %w", c.base, c.config.place(), err)
	case strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return churn.Errorf(op, churn.Denied, "MLflow at %s does not speak TLS: %s must begin with http://: %w", c.base, c.config.place(), err)
	}
	return churn.Errorf(op, churn.Transient, "MLflow at %s (%s): %s: %w", c.base, c.config.place(), path, err)
}

// refused is the error of an answer other than 200.
func (c *Client) refused(path string, res *http.Response, body []byte) error {
	const op = "mlflow.send"
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil { // of a proxy, or another kind of server
		said.Code, said.Message = http.StatusText(res.StatusCode), string(body)
	}
	answer := func(kind churn.Kind, hint string) error {
		return churn.Errorf(op, kind, "MLflow at %s answered %s with %d %s: %s%s",
			c.base, path, res.StatusCode, bounded(said.Code, maxMessage), oneLine(said.Message), hint)
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return answer(churn.Denied, ": check "+c.config.credentials())
	case res.StatusCode == http.StatusForbidden: // it may be about one experiment, which an event names
		return answer(churn.Internal, ": check "+c.config.credentials())
	case slices.Contains(awayCodes, res.StatusCode), said.Code == "TEMPORARILY_UNAVAILABLE", said.Code == "REQUEST_LIMIT_EXCEEDED":
		return busy{answer(churn.Transient, "")}
	case res.StatusCode >= 500, said.Code == "BAD_REQUEST": // it may be the request's doing; so says a database of two writers, too
		return busy{answer(churn.Internal, "")}
	case res.StatusCode/100 == 3:
		return answer(churn.Internal, ": it redirects, which is not followed: set "+c.config.place()+" to where it leads")
	}
	switch said.Code {
	case "RESOURCE_DOES_NOT_EXIST":
		return answer(churn.NotFound, "")
	case "RESOURCE_ALREADY_EXISTS":
		return answer(churn.Conflict, "")
	case "INVALID_PARAMETER_VALUE":
		return answer(churn.Invalid, "")
	}
	return answer(churn.Internal, ": is "+c.config.place()+" an MLflow server's?")
}

// place names the setting that says where the server is.
func (c Config) place() string {
	if c.Databricks {
		return "DATABRICKS_HOST"
	}
	return "MLFLOW_TRACKING_URI"
}

// credentials names the settings that let the client in.
func (c Config) credentials() string {
	switch {
	case c.Databricks:
		return "DATABRICKS_TOKEN"
	case c.Token != "":
		return "MLFLOW_TRACKING_TOKEN"
	}
	return "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
}

func oneLine(s string) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, bounded(strings.ToValidUTF8(s, "?"), maxMessage))
	return strings.Join(strings.Fields(text), " ")
}

// bounded returns the most whole characters of s that n bytes hold.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// settled is the error of projecting what the authority has done already. That
// cannot be undone or lost any more, so it is tried again, whatever MLflow says.
func settled(op string, err error) error {
	if err == nil || churn.IsKind(err, churn.Transient) || churn.IsKind(err, churn.Denied) {
		return err
	}
	return churn.E(op, churn.Internal, err)
}
