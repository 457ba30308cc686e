package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/stage"
)

// dialTimeout bounds the look at one broker by the address that it advertises.
const dialTimeout = 3 * time.Second

// Broker checks whether the brokers let this program in, and are where they say.
func Broker(c config.Config, b bus.Bus) Check {
	return Check{"broker", func(ctx context.Context) Finding {
		if err := b.Ping(ctx); err != nil {
			return fail(err)
		}
		cluster, known, err := inspect(ctx, b, []string{}, nil)
		if err != nil {
			return fail(err)
		}
		at := strings.Join(c.Brokers, ",")
		if !known {
			return ok("%s", at)
		}
		if gone := unreachable(ctx, cluster.Brokers); len(gone) > 0 {
			return Finding{Status: Fail, Found: "cannot reach " + names(gone) + ", as which brokers advertise themselves",
				Advice: "correct the brokers' advertised.listeners, or the names' resolution here"}
		}
		if n := len(cluster.Brokers); c.Kafka.ReplicationFactor > n {
			return Finding{Status: Fail, Found: fmt.Sprintf("KAFKA_REPLICATION_FACTOR is %d, at %d brokers", c.Kafka.ReplicationFactor, n), Advice: "lower it, or add brokers"}
		}
		return ok("%s: cluster %s of %d, %s", at, cluster.ID, len(cluster.Brokers), letIn(c.Kafka))
	}}
}

// letIn says how this program is let in.
func letIn(k config.Kafka) string {
	by := "plain"
	if k.TLS || k.CA != "" || k.Cert != "" {
		by = "TLS"
	}
	if k.Mechanism != "" {
		by += ", user " + k.Username + " by " + k.Mechanism
	}
	return by
}

// inspect asks a bus that can tell.
func inspect(ctx context.Context, b bus.Bus, topics, groups []string) (c bus.Cluster, known bool, err error) {
	i, known := b.(bus.Inspector)
	if !known {
		return bus.Cluster{}, false, nil
	}
	c, err = i.Inspect(ctx, topics, groups)
	return c, true, err
}

// unreachable returns those of the addresses that nobody answers at.
func unreachable(ctx context.Context, addrs []string) (gone []string) {
	d := net.Dialer{Timeout: dialTimeout}
	for _, addr := range addrs {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			gone = append(gone, addr)
			continue
		}
		_ = conn.Close()
	}
	return gone
}

// Topics checks whether the topics that the services use are there, and made as
// they should be, as far as this program's user is told.
func Topics(c config.Config, b bus.Bus, services ...churn.Service) Check {
	return Check{"topics", func(ctx context.Context) Finding {
		if err := b.Ping(ctx); err != nil { // sooner than Topics, which is patient
			return fail(err)
		}
		there, err := b.Topics(ctx)
		if err != nil {
			return fail(err)
		}
		var missing []string
		topics := TopicsOf(c.TopicPrefix, services...)
		for _, t := range topics {
			if !slices.Contains(there, t.Name) {
				missing = append(missing, t.Name)
			}
		}
		if len(missing) > 0 {
			return Finding{Status: Fail, Found: "missing, or hidden from this user: " + names(missing),
				Advice: "`churnctl topics apply` makes them, and so does a service that may; CHURN_TOPIC_PREFIX is " + fmt.Sprintf("%q", c.TopicPrefix)}
		}
		otherwise, err := drift(ctx, b, topics)
		if err != nil {
			return fail(err)
		}
		if len(otherwise) > 0 {
			return warn("`churnctl topics plan` says why, and `churnctl topics apply` mends what is safe to mend", "made otherwise: %s", names(otherwise))
		}
		return ok("%d of %s*", len(topics), c.TopicPrefix)
	}}
}

// drift says what is other than the topics are made with, to a user who is told.
func drift(ctx context.Context, b bus.Bus, topics []bus.TopicConfig) (all []string, err error) {
	p, is := b.(bus.Provisioner)
	if !is {
		return nil, nil
	}
	changes, err := p.PlanTopics(ctx, bus.Wanted{Topics: topics})
	if churn.IsKind(err, churn.Denied) { // no service needs to be
		return nil, nil
	}
	for _, c := range changes {
		if c.Setting == bus.SettingPartitions && more(c) { // somebody's choice, and harmless
			continue
		}
		all = append(all, fmt.Sprintf("%s has %s %s, not %s", c.Topic, c.Setting, c.Is, c.Want))
	}
	return all, err
}

// more reports whether there is more than wanted of what is counted.
func more(c bus.Change) bool {
	is, _ := strconv.Atoi(c.Is)
	want, _ := strconv.Atoi(c.Want)
	return is > want
}

// Permissions checks whether the broker allows what the services do.
func Permissions(c config.Config, b bus.Bus, services ...churn.Service) Check {
	return Check{"permissions", func(ctx context.Context) Finding {
		if err := Allowed(ctx, c, b, services...); err != nil {
			return fail(err)
		}
		return ok("on topics and groups, as the %s needs", join(services))
	}}
}

// Allowed returns a Denied error that names every right that a service needs
// and that the broker's user lacks. Topics that are missing are not its matter.
func Allowed(ctx context.Context, c config.Config, b bus.Bus, services ...churn.Service) error {
	var lacks []string
	for _, s := range services {
		of, err := lacking(ctx, b, c.TopicPrefix, s)
		if err != nil {
			return err
		}
		lacks = append(lacks, of...)
	}
	if len(lacks) == 0 {
		return nil
	}
	slices.Sort(lacks)
	who := "the user of KAFKA_USERNAME"
	if c.Kafka.Username == "" {
		who = "this client (KAFKA_USERNAME and KAFKA_TLS_CERT say as whom)"
	}
	return churn.Errorf("doctor.Allowed", churn.Denied, "broker at %s does not allow %s to %s: add what is missing to its ACLs",
		strings.Join(c.Brokers, ","), who, strings.Join(slices.Compact(lacks), ", "))
}

// lacking returns the rights that the service needs and the user lacks.
func lacking(ctx context.Context, b bus.Bus, prefix string, s churn.Service) (lacks []string, err error) {
	needs := s.Permissions()
	var topics, groups []string
	for _, a := range needs.Topics {
		topics = append(topics, a.Topic.Name(prefix))
	}
	if needs.Group != "" {
		groups = append(groups, stage.Group(s, prefix))
	}
	has, known, err := inspect(ctx, b, topics, groups)
	if err != nil || !known {
		return nil, err
	}
	for i, a := range needs.Topics {
		if got, there := has.Topics[topics[i]]; there {
			lacks = append(lacks, lack("topic "+topics[i], bus.Rights{Read: a.Read, Write: a.Write}, got)...)
		}
	}
	for _, g := range groups {
		lacks = append(lacks, lack("group "+g, bus.Rights{Read: true}, has.Groups[g])...)
	}
	return lacks, nil
}

// lack says which of the rights are missing.
func lack(what string, want, got bus.Rights) (lacks []string) {
	if want.Read && !got.Read {
		lacks = append(lacks, "read "+what)
	}
	if want.Write && !got.Write {
		lacks = append(lacks, "write "+what)
	}
	return lacks
}

func join(services []churn.Service) string {
	all := make([]string, len(services))
	for i, s := range services {
		all[i] = string(s)
	}
	return strings.Join(all, ", ")
}
