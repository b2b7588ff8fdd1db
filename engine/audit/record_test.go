package audit

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestRecord_is256Bytes(t *testing.T) {
	require.EqualValues(t, 256, unsafe.Sizeof(Record{}))
}
