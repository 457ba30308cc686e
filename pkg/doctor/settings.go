package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/config"
)

// Settings checks what is wrong with the settings among themselves, and with
// the file that they are read from.
func Settings(c config.Config, envFile string) Check {
	return Check{"configuration", func(context.Context) Finding {
		var found, advice []string
		for _, p := range []problem{
			clearBroker(c), clearLink("MLFLOW_S3_ENDPOINT_URL", c.S3Endpoint), clearLink("MLFLOW_TRACKING_URI", c.TrackingURI),
			unused(c), impatient(c), readable(envFile),
		} {
			if p.found != "" {
				found, advice = append(found, p.found), append(advice, p.advice)
			}
		}
		if len(found) > 0 {
			return warn(strings.Join(advice, "; "), "%s", strings.Join(found, "; "))
		}
		return ok("consistent")
	}}
}

// problem is empty where there is none.
type problem struct{ found, advice string }

func clearBroker(c config.Config) problem {
	if c.Kafka.Mechanism == "" || c.Kafka.TLS || c.Kafka.CA != "" || c.Kafka.Cert != "" || allLoopback(c.Brokers) {
		return problem{}
	}
	return problem{"KAFKA_PASSWORD goes over the network without TLS", "set KAFKA_TLS=true"}
}

func clearLink(setting, link string) problem {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" || loopback(u.Hostname()) {
		return problem{}
	}
	return problem{setting + " is not https, so that requests can be read and changed on their way", "begin it with https://"}
}

func unused(c config.Config) problem {
	switch {
	case len(c.Brokers) == 0 && c.S3Endpoint != "":
		return problem{"MLFLOW_S3_ENDPOINT_URL is set and KAFKA_BROKERS is not: the local stack runs, on a store of its own", "set both or neither"}
	case c.S3CA != "" && strings.HasPrefix(c.S3Endpoint, "http://"):
		return problem{"AWS_CA_BUNDLE is set, and MLFLOW_S3_ENDPOINT_URL is not https", "begin MLFLOW_S3_ENDPOINT_URL with https://, or unset AWS_CA_BUNDLE"}
	}
	return problem{}
}

// leastSession is Apache Kafka's group.min.session.timeout.ms by default.
const leastSession = 6 * time.Second

func impatient(c config.Config) problem {
	if len(c.Brokers) == 0 || c.Kafka.SessionTimeout >= leastSession {
		return problem{}
	}
	return problem{fmt.Sprintf("KAFKA_SESSION_TIMEOUT is %s, and Apache Kafka refuses less than %s unless told otherwise", c.Kafka.SessionTimeout, leastSession), "raise it"}
}

// readable looks whether others than its owner can read the file of settings,
// which may hold secrets.
func readable(envFile string) problem {
	info, err := os.Stat(envFile)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return problem{}
	}
	return problem{fmt.Sprintf("%s can be read by others than its owner (%v)", envFile, info.Mode().Perm()), "chmod 600 " + envFile}
}

func allLoopback(addrs []string) bool {
	for _, a := range addrs {
		host, _, err := net.SplitHostPort(a)
		if err != nil || !loopback(host) {
			return false
		}
	}
	return true
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
