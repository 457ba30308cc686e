package worker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// Peers are other trainers, which lend workers to trainings that are too large for
// one machine.
type Peers struct {
	addresses []string
	tls       *tls.Config
}

// NewPeers returns the trainers at the addresses, each host:port. A name is all the
// machines that it stands for at the time; this one may be among them. The secret
// is the one that they were given, too.
func NewPeers(addresses []string, secret string) (*Peers, error) {
	for _, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, churn.Errorf("worker.NewPeers", churn.Invalid, "CHURN_TRAINER_PEERS: %q is not host:port", address)
		}
	}
	c, err := credentials(secret)
	if err != nil {
		return nil, err
	}
	return &Peers{addresses, c}, nil
}

const (
	dialTime  = 3 * time.Second  // for a connection to a trainer
	leaseTime = 30 * time.Second // for its answer: it may have to start a worker
)

// vanished is after how long a machine that no longer answers counts as gone.
var vanished = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}

// lease asks a trainer for a worker, and is its answer.
type lease struct {
	Pool    string `json:"pool"`    // who asks, and who answers
	Library string `json:"library"` // digest of the LightGBM that trains
	Threads int    `json:"threads"` // at most, and as many as are given
}

// join adds workers of other trainers to the team until it has so many members.
func (p *Peers) join(ctx context.Context, t *team, own *Pool, machines int) error {
	addresses := p.resolve(ctx)
	var refusals []string
	for _, address := range addresses {
		if len(t.members) == machines {
			return nil
		}
		b, err := p.borrow(ctx, address, own, t.options.Threads)
		if err != nil {
			refusals = append(refusals, fmt.Sprintf("%s: %v", address, err))
			continue
		}
		stop := context.AfterFunc(ctx, b.kill)
		t.members = append(t.members, &member{conn: b.conn, worker: b, where: address, threads: b.threads, release: func(bool) { stop(); b.kill() }})
	}
	if ctx.Err() != nil {
		return churn.E(opTogether, churn.Transient, context.Cause(ctx))
	}
	if len(t.members) == machines {
		return nil
	}
	return churn.Errorf(opTogether, churn.Transient, "%d machines are to train, and %d of the trainers that CHURN_TRAINER_PEERS names can now: %s",
		machines, len(t.members)-1, strings.Join(append(refusals, "there are no more"), "; "))
}

// resolve returns the address of every machine, each once and in order. A name that
// cannot be looked up stays as it is: dialing it says what is wrong.
func (p *Peers) resolve(ctx context.Context) []string {
	var out []string
	for _, address := range p.addresses {
		host, port, _ := net.SplitHostPort(address)
		machines, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			machines = []string{host}
		}
		for _, machine := range machines {
			out = append(out, net.JoinHostPort(machine, port))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// borrowed is a worker that another trainer has lent.
type borrowed struct {
	*conn
	link    net.Conn
	threads int
}

// borrow asks the trainer for a worker, which it refuses at once if it has no CPUs
// for it.
func (p *Peers) borrow(ctx context.Context, address string, own *Pool, threads int) (*borrowed, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{KeepAliveConfig: vanished}, Config: p.tls}
	link, err := dialer.DialContext(dialing, "tcp", address)
	if err != nil {
		return nil, err
	}
	b := &borrowed{conn: newConn(link, link), link: link}
	if err := b.ask(ctx, own, threads); err != nil {
		b.kill()
		return nil, err
	}
	return b, nil
}

func (b *borrowed) ask(ctx context.Context, own *Pool, threads int) error {
	stop := context.AfterFunc(ctx, b.kill)
	defer stop()
	if err := b.link.SetDeadline(time.Now().Add(leaseTime)); err != nil {
		return err
	}
	if err := b.sendJSON(kindLease, lease{own.id, own.sha256, threads}); err != nil {
		return err
	}
	k, body, err := b.receive()
	switch {
	case err != nil:
		return err
	case k == kindFailure:
		return readFailure(body)
	case k != kindLease:
		return unexpected(k)
	}
	var l lease
	if err := json.Unmarshal(body, &l); err != nil {
		return err
	}
	b.threads = max(1, l.Threads)
	return b.link.SetDeadline(time.Time{})
}

func (b *borrowed) kill() { _ = b.link.Close() }

// failed says that the connection has ended: the trainer has, or its machine.
func (b *borrowed) failed(ctx context.Context, err error) error {
	b.kill()
	if ctx.Err() != nil {
		return churn.E(opTogether, churn.Transient, context.Cause(ctx))
	}
	if churn.IsKind(err, churn.Invalid) { // too large to send
		return err
	}
	return churn.Errorf(opTogether, churn.Internal, "the connection to it has ended: %w", err)
}

func (b *borrowed) refused(body []byte) error { return readFailure(body) }
