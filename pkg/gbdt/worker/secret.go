package worker

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// leastSecret is the fewest characters of a secret: it must not be guessed, and
// whoever can reach a trainer can check a guess.
const leastSecret = 32

// credentials returns how trainers that share a secret let one another in: by TLS
// 1.3, at both ends of which stands the one key pair that the secret gives. Who
// does not know the secret can neither make the handshake nor read or change what
// is sent.
func credentials(secret string) (*tls.Config, error) {
	const op = "worker.credentials"
	if len(secret) < leastSecret {
		return nil, churn.Errorf(op, churn.Invalid,
			"CHURN_TRAINER_SECRET has %d characters; at least %d at random are needed, as `openssl rand -hex 32` gives them", len(secret), leastSecret)
	}
	seed, err := hkdf.Key(sha256.New, []byte(secret), nil, "churn: trainers that train together", ed25519.SeedSize)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	public := key.Public().(ed25519.PublicKey)
	certificate, err := x509.CreateCertificate(nil, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), // NotBefore: year 1
	}, &x509.Certificate{}, public, key)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
		ClientAuth:   tls.RequireAnyClientCert,
		// Names and authorities say nothing here; the key does.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the key, whose possession TLS proves
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !public.Equal(state.PeerCertificates[0].PublicKey) {
				return errors.New("it has another CHURN_TRAINER_SECRET")
			}
			return nil
		},
		SessionTicketsDisabled: true,
	}, nil
}
