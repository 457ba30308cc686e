package worker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/churn"
)

const (
	handshakeTime = 10 * time.Second // for whoever connects to say what they want
	maxCallers    = 32               // connections at a time
)

// Lend lends workers to other trainers that have the secret, until ctx is done. It
// closes the listener. A worker is lent for one training and ends with the
// connection that it was lent on. Who asks for one while no CPUs are free is refused
// at once.
func (p *Pool) Lend(ctx context.Context, l net.Listener, secret string, log *zap.Logger) error {
	c, err := credentials(secret)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	callers := make(chan struct{}, maxCallers)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		callers <- struct{}{}
		link, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return churn.E("worker.Lend", churn.Internal, err)
		}
		wg.Go(func() {
			defer func() { <-callers }()
			defer link.Close()
			if tcp, ok := link.(*net.TCPConn); ok {
				_ = tcp.SetKeepAliveConfig(vanished)
			}
			who := zap.String("trainer", link.RemoteAddr().String())
			if err := p.lend(ctx, tls.Server(link, c), log.With(who)); err != nil {
				log.Info("no worker is lent", who, zap.Error(err))
			}
		})
	}
}

// lend lends one worker, as long as the connection lasts.
func (p *Pool) lend(ctx context.Context, link *tls.Conn, log *zap.Logger) error {
	stop := context.AfterFunc(ctx, func() { _ = link.NetConn().Close() })
	defer stop()
	caller := newConn(link, link)
	l, err := hearLease(link, caller)
	if err != nil {
		return err
	}
	if l.Pool == p.id {
		return refuse(caller, churn.Errorf("worker.Lend", churn.Invalid, "it is the trainer that asks"))
	}
	if l.Library != p.sha256 {
		return refuse(caller, churn.Errorf("worker.Lend", churn.Invalid, "it has another LightGBM: one that is not of the same version, or for another kind of machine"))
	}
	l.Pool, l.Threads = p.id, max(1, min(l.Threads, p.cpus))
	if !p.free.TryAcquire(int64(l.Threads)) {
		return refuse(caller, churn.Errorf("worker.Lend", churn.Transient, "it is training"))
	}
	defer p.free.Release(int64(l.Threads))
	w, err := p.take(ctx)
	if err != nil {
		return refuse(caller, err)
	}
	defer p.give(w) // which ends it: it is not sound
	w.sound = false
	if err := caller.sendJSON(kindLease, l); err != nil {
		return err
	}
	log.Info("a worker is lent", zap.Int("threads", l.Threads))
	p.relay(ctx, link, caller, w)
	log.Info("the worker is back")
	return nil
}

// hearLease lets the caller in and returns what it asks for.
func hearLease(link *tls.Conn, caller *conn) (l lease, err error) {
	if err := link.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return l, err
	}
	if err := link.Handshake(); err != nil {
		return l, err
	}
	k, body, err := caller.receive()
	if err != nil {
		return l, err
	}
	if k != kindLease {
		return l, unexpected(k)
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return l, err
	}
	return l, link.SetDeadline(time.Time{})
}

// refuse tells the caller why it gets no worker, and returns that.
func refuse(caller *conn, why error) error {
	_ = caller.sendJSON(kindFailure, failureOf(why)) // it may be gone
	return why
}

// relay passes frames between the caller and the worker until one of them has
// ended, and ends the other. How the worker has ended is the last that the caller
// hears.
func (p *Pool) relay(ctx context.Context, link *tls.Conn, caller *conn, w *process) {
	end := func() {
		w.kill()
		_ = link.NetConn().Close()
	}
	defer context.AfterFunc(ctx, w.kill)()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		_ = pass(caller, w.conn, 2*p.patience, end)
		w.kill()
	})
	err := pass(w.conn, caller, 2*p.patience, end)
	_ = caller.sendJSON(kindFailure, failureOf(w.failed(ctx, err))) // it may be gone
	_ = link.NetConn().Close()
}

// pass passes frames on until one of the two connections has ended. It ends both if
// nothing passes for so long: the leader would have given up before.
func pass(from, to *conn, limit time.Duration, end func()) error {
	for {
		idle := time.AfterFunc(limit, end)
		k, body, err := from.receive()
		if err == nil {
			err = to.send(k, body)
		}
		if err == nil && from.in.Buffered() == 0 {
			err = to.out.Flush()
		}
		idle.Stop()
		if err != nil {
			return err
		}
	}
}
