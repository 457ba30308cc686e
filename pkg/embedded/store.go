package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"github.com/asfotec/churn/pkg/churn"
)

// Region of the embedded store.
const Region = "us-east-1"

// Store is a running object store.
type Store struct {
	endpoint             string
	accessKey, secretKey string
	folder               *folder
	cancel               context.CancelFunc
	done                 chan struct{} // closed when the gateway has ended
	gateway              error         // why it ended
	once                 sync.Once
	err                  error
}

// StartStore starts an S3 object store whose objects live in the folder dir, on
// a loopback address; port 0 takes that of last time if it is free. Empty
// credentials take those of the folder, see Credentials. It runs until Close,
// or until ctx is done. A folder that another process uses is a Conflict, and
// so is a second store in this process: the gateway allows one.
//
// The gateway works with paths relative to its root, and so CHANGES THE WORKING
// DIRECTORY of this process, for good: resolve relative paths before this call.
// A second store may be started once the first is closed.
func StartStore(ctx context.Context, dir, addr, accessKey, secretKey string) (_ *Store, err error) {
	const op = "embedded.StartStore"
	f, err := open(op, dir)
	if err != nil {
		return nil, err
	}
	if !running.CompareAndSwap(false, true) {
		err := churn.Errorf(op, churn.Conflict, "this process runs an object store already: close that one first")
		return nil, errors.Join(err, f.close())
	}
	defer func() {
		if err != nil {
			running.Store(false)
			err = errors.Join(err, f.close())
		}
	}()
	if accessKey == "" {
		if accessKey, secretKey, err = Credentials(f.path); err != nil {
			return nil, err
		}
	}
	be, err := backend(f)
	if err != nil {
		return nil, damaged(op, f.path, err)
	}
	// The gateway takes an address, not a listener: this one finds the port.
	l, err := f.listen(op, addr)
	if err != nil {
		return nil, err
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Store{
		endpoint:  "http://" + host,
		accessKey: accessKey,
		secretKey: secretKey,
		folder:    f,
		cancel:    cancel,
		done:      make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		s.gateway = embedgw.RunVersityGW(ctx, be, config(host, accessKey, secretKey))
	}()
	if err := s.ready(ctx, host); err != nil {
		cancel()
		<-s.done
		return nil, churn.E(op, churn.Transient, err)
	}
	return s, nil
}

// running is true while this process has a store: a second one would take the
// working directory away from it.
var running atomic.Bool

// backend keeps an object's bytes and its metadata in files beside each other,
// so that it works on any file system.
func backend(f *folder) (*posix.Posix, error) {
	objects, err := f.make("objects")
	if err != nil {
		return nil, err
	}
	metadata, err := f.make("metadata")
	if err != nil {
		return nil, err
	}
	sidecar, err := meta.NewSideCar(metadata)
	if err != nil {
		return nil, err
	}
	return posix.New(objects, committed{sidecar, objects}, posix.PosixOpts{ValidateBucketNames: true})
}

func config(host, accessKey, secretKey string) *embedgw.Config {
	root := auth.Account{Access: accessKey, Secret: secretKey, Role: auth.RoleAdmin}
	return &embedgw.Config{
		// The same as without it, but for a line on standard output.
		IAMService:        auth.NewIAMServiceSingle(root),
		RootUserAccess:    accessKey,
		RootUserSecret:    secretKey,
		Region:            Region,
		Ports:             []string{host},
		MaxConnections:    1024,
		MaxRequests:       1024,
		MultipartMaxParts: 10000,
		KeepAlive:         true,
		Quiet:             true,
		DisableACLs:       true,
	}
}

// ready waits until the gateway accepts connections.
func (s *Store) ready(ctx context.Context, host string) error {
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		select {
		case <-s.done:
			return fmt.Errorf("the store did not start: %w", s.gateway)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		if c, err := net.DialTimeout("tcp", host, time.Second); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("the store did not listen on %s within 10 s", host)
}

// Endpoint is the store's URL.
func (s *Store) Endpoint() string { return s.endpoint }

// AccessKey and SecretKey let a client in.
func (s *Store) AccessKey() string { return s.accessKey }

// SecretKey goes with AccessKey.
func (s *Store) SecretKey() string { return s.secretKey }

// Close stops the store and unlocks its folder.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.cancel()
		<-s.done
		running.Store(false)
		s.err = errors.Join(s.gateway, s.folder.close())
	})
	return s.err
}
