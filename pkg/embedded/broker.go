package embedded

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/asfotec/churn/pkg/churn"
)

// Broker is a running Kafka broker.
type Broker struct {
	addr    string
	cluster *kfake.Cluster
	folder  *folder
	stop    func() bool
	unwatch context.CancelFunc
	once    sync.Once
	err     error
}

// StartBroker starts a broker whose topics, offsets and groups live in the
// folder dir, on a loopback address; port 0 takes that of last time if it is
// free. Every record is on disk before it is acknowledged. It runs until Close,
// or until ctx is done. A folder that another process uses is a Conflict, and one
// whose log is damaged is Invalid.
func StartBroker(ctx context.Context, dir, addr string) (*Broker, error) {
	const op = "embedded.StartBroker"
	f, err := open(op, dir)
	if err != nil {
		return nil, err
	}
	if err := checkLog(op, f.join("data")); err != nil {
		return nil, errors.Join(err, f.close())
	}
	l, err := f.listen(op, addr)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	c, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.ClusterID("churn-embedded"),
		kfake.DataDir(f.join("data")),
		kfake.SyncWrites(),
		kfake.GroupMinSessionTimeout(time.Second),
		// Compaction runs each time this has passed; the default is an hour.
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "1000"}),
	)
	if err != nil {
		_ = l.Close() // which the broker may have done
		return nil, errors.Join(damaged(op, f.path, err), f.close())
	}
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	if err := watchMembers(watching, c); err != nil {
		unwatch()
		c.Close()
		return nil, errors.Join(churn.E(op, churn.Internal, err), f.close())
	}
	b := &Broker{addr: l.Addr().String(), cluster: c, folder: f, unwatch: unwatch}
	b.stop = context.AfterFunc(ctx, func() { _ = b.Close() })
	return b, nil
}

// Addr is the broker's host:port.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and unlocks its folder.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.stop()
		b.unwatch()
		b.cluster.Close()
		b.err = b.folder.close()
	})
	return b.err
}
