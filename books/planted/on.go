//go:build planted

package planted

import "os"

// Variable names the fault in the environment.
const Variable = "ONEPRICE_PLANTED"

var chosen = Bug(os.Getenv(Variable))

// On reports whether a fault is planted.
func On(b Bug) bool { return b == chosen }
