package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// greeting says that the worker is ready.
type greeting struct {
	LibrarySHA256 string `json:"library_sha256"`
}

// request asks for a training. The rows follow when the worker asks for them.
type request struct {
	Params           lightgbm.Params `json:"params"`
	Threads          int             `json:"threads"`
	ScoreRows        int             `json:"score_rows"`
	ContributionRows int             `json:"contribution_rows"`
	Features         []string        `json:"features"`
	Rows             [2]int          `json:"rows"`
	Members          *members        `json:"members,omitempty"`
}

// members says which of how many members the worker is; see lightgbm.Members.
type members struct {
	Rank  int `json:"rank"`
	Count int `json:"count"`
	Rows  int `json:"rows"`
}

// outcome is a lightgbm.Result without the model and the contributions, which go
// before it, and the history, which has gone as progress.
type outcome struct {
	Iterations  int                   `json:"iterations"`
	Importances []lightgbm.Importance `json:"importances"`
	Scores      []float64             `json:"scores"`
}

// failure is an error on its way to the parent.
type failure struct {
	Op      string     `json:"op"`
	Kind    churn.Kind `json:"kind"`
	Message string     `json:"message"`
}

func failureOf(err error) failure {
	var e *churn.Error
	if errors.As(err, &e) {
		return failure{e.Op, e.Kind, e.Err.Error()}
	}
	return failure{"worker.Train", churn.Internal, err.Error()}
}

// readFailure returns the error that failureOf was made from.
func readFailure(body []byte) error {
	var f failure
	if err := json.Unmarshal(body, &f); err != nil {
		return churn.E("worker.Train", churn.Internal, err)
	}
	return f.error()
}

func (f failure) error() error {
	if f.Kind < churn.Internal || f.Kind > churn.Conflict {
		f.Kind = churn.Internal
	}
	return churn.E(f.Op, f.Kind, errors.New(f.Message))
}

// rowSize is the bytes of a row in a frame: its label and its features.
func rowSize(width int) int { return 4 + 8*width }

// appendChunk appends rows from to to of the chunk, as the body of a frame: the
// set, the rows' features, their labels, numbers in little-endian IEEE 754.
func appendChunk(b []byte, c lightgbm.Chunk, width, from, to int) []byte {
	b = append(b, byte(c.Set))
	b = appendFloats(b, c.X[from*width:to*width])
	for _, y := range c.Y[from:to] {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(y))
	}
	return b
}

// sendChunk sends rows of so many features, in pieces.
func (c *conn) sendChunk(rows lightgbm.Chunk, width int) error {
	perFrame := max(1, pieceSize/rowSize(width))
	var body []byte
	for from := 0; from < len(rows.Y); from += perFrame {
		body = appendChunk(body[:0], rows, width, from, min(from+perFrame, len(rows.Y)))
		if err := c.send(kindChunk, body); err != nil {
			return err
		}
	}
	return nil
}

// readChunk reads what appendChunk wrote into c, whose memory it uses again.
func readChunk(b []byte, c *lightgbm.Chunk, width int) error {
	if len(b) == 0 || (len(b)-1)%rowSize(width) != 0 {
		return fmt.Errorf("a frame of %d bytes does not hold rows of %d features", len(b), width)
	}
	rows := (len(b) - 1) / rowSize(width)
	c.Set = lightgbm.Set(b[0])
	c.X, c.Y = c.X[:0], c.Y[:0]
	x, y := b[1:1+8*rows*width], b[1+8*rows*width:]
	c.X = readFloats(c.X, x)
	for ; len(y) > 0; y = y[4:] {
		c.Y = append(c.Y, math.Float32frombits(binary.LittleEndian.Uint32(y)))
	}
	return nil
}

func appendFloats(b []byte, numbers []float64) []byte {
	for _, x := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

// readFloats appends what appendFloats wrote to numbers.
func readFloats(numbers []float64, b []byte) []float64 {
	for ; len(b) >= 8; b = b[8:] {
		numbers = append(numbers, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return numbers
}
