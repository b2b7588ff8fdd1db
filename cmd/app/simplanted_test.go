//go:build planted

package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/planted"
)

// Whoever plants one of the classic faults is found out within 200 seeds.
func TestSim_findsWhatIsPlanted(t *testing.T) {
	for _, bug := range planted.All {
		t.Run(string(bug), func(t *testing.T) {
			failed := sweep(t, *simSeed, 200, 1, []string{planted.Variable + "=" + string(bug)}, func(swept) {})
			require.NotEmpty(t, failed)
			t.Log(failed[0].failed)
		})
	}
}
