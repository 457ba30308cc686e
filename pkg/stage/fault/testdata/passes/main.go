// Command passes passes the points that its arguments name, and says so.
package main

import (
	"fmt"
	"os"

	"github.com/asfotec/churn/pkg/stage/fault"
)

func main() {
	for _, point := range os.Args[1:] {
		fault.Point(point)
		fmt.Println(point)
	}
}
