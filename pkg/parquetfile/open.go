// Package parquetfile opens Parquet files of strangers. The library trusts the
// sizes that a file claims and allocates by them, so that some hundred bytes can
// end the process for want of memory. Here every such size is compared with what
// is there before the library sees the file.
package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits of a file. What the pipeline writes is far below them.
const (
	maxFooter = 64 << 20 // bytes
	maxHeader = 64 << 10 // bytes of a page's header
	maxPage   = 64 << 20 // bytes of a page, decompressed
	maxValues = 8 << 20  // of a page
)

// trailer is how a file ends: the length of the footer, and a magic number.
const trailer = 8

const magic = "PAR1"

// Open opens a file of size bytes that is not encrypted, and whose columns are
// compressed by Snappy or not at all. An error says what is wrong with it. Indexes
// and filters are left alone.
func Open(r io.ReaderAt, size int64) (*parquet.File, error) {
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	for _, group := range file.Metadata().RowGroups {
		for _, column := range group.Columns {
			if err := checkPages(r, size, &column.MetaData); err != nil {
				return nil, fmt.Errorf("column %.100q: %w", column.MetaData.PathInSchema, err)
			}
		}
	}
	return file, nil
}

func checkFooter(r io.ReaderAt, size int64) error {
	var end [trailer]byte
	if size < int64(len(magic)+trailer) {
		return fmt.Errorf("it has %d bytes, too few for a Parquet file", size)
	}
	if _, err := r.ReadAt(end[:], size-trailer); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(end[4:]) != magic {
		return errors.New("it does not end as a Parquet file")
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if length > min(maxFooter, size-int64(len(magic))-trailer) {
		return fmt.Errorf("its footer is said to have %d bytes of the file's %d", length, size)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-trailer-length); err != nil {
		return err
	}
	if _, err := measure(footer); err != nil {
		return fmt.Errorf("its footer: %w", err)
	}
	return nil
}

// checkPages goes from page to page of a column's part in a row group.
func checkPages(r io.ReaderAt, size int64, c *format.ColumnMetaData) error {
	if c.Codec != format.Uncompressed && c.Codec != format.Snappy {
		return fmt.Errorf("it is compressed by %v", c.Codec)
	}
	at, data := c.DataPageOffset, c.DataPageOffset
	if c.DictionaryPageOffset != 0 {
		at = c.DictionaryPageOffset
	}
	end := at + c.TotalCompressedSize
	if at < 0 || end < at || end > size {
		return fmt.Errorf("it is said to lie at %d to %d of the file's %d bytes", at, end, size)
	}
	aligned := at == data
	for at < end {
		next, err := checkPage(r, at, end, c.Codec)
		if err != nil {
			return fmt.Errorf("the page at %d: %w", at, err)
		}
		at = next
		aligned = aligned || at == data
	}
	if !aligned {
		return fmt.Errorf("no page begins at %d", data)
	}
	return nil
}

// checkPage returns where the next page begins.
func checkPage(r io.ReaderAt, at, end int64, codec format.CompressionCodec) (int64, error) {
	text := make([]byte, min(maxHeader, end-at))
	if _, err := r.ReadAt(text, at); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	n, err := measure(text)
	if err != nil {
		return 0, err
	}
	var h format.PageHeader
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), text[:n], &h); err != nil {
		return 0, err
	}
	at += int64(n)
	packed, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if packed < 0 || packed > end-at || unpacked < 0 || unpacked > maxPage {
		return 0, fmt.Errorf("it is said to have %d bytes, decompressed %d, where there are %d; at most %d are allowed", packed, unpacked, end-at, maxPage)
	}
	values, levels, encoding := contents(&h)
	if values < 0 || values > maxValues || levels < 0 || levels > packed || !slices.Contains(encodings, encoding) {
		return 0, fmt.Errorf("it is said to have %d values in encoding %v behind %d bytes of levels; at most %d are allowed", values, encoding, levels, maxValues)
	}
	if codec == format.Snappy && packed > levels {
		// Snappy's own header says for how much to make room.
		head := make([]byte, min(binary.MaxVarintLen64, packed-levels))
		if _, err := r.ReadAt(head, at+levels); err != nil {
			return 0, err
		}
		if length, _ := binary.Uvarint(head); length > uint64(unpacked) {
			return 0, fmt.Errorf("it decompresses to %d bytes, not %d", length, unpacked)
		}
	}
	return at + packed, nil
}

// encodings are those whose values take no more room than their page. (In
// DELTA_BYTE_ARRAY each value repeats a part of the one before.)
var encodings = []format.Encoding{
	format.Plain, format.RLE, format.RLEDictionary, format.DeltaBinaryPacked, format.DeltaLengthByteArray,
}

// contents returns the number of values of a page, the bytes before them that are
// not compressed, and how they are encoded.
func contents(h *format.PageHeader) (values, levels int64, encoding format.Encoding) {
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return int64(h.DataPageHeader.V.NumValues), 0, h.DataPageHeader.V.Encoding
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		if v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 {
			return -1, 0, v.Encoding
		}
		return int64(v.NumValues), int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength), v.Encoding
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		return int64(h.DictionaryPageHeader.V.NumValues), 0, h.DictionaryPageHeader.V.Encoding
	}
	return -1, 0, 0
}
