// Measures Trigger of pusher-http-go: bench EVENT HOST:PORT AT_ONCE SECONDS prints what one call costs, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pusher/pusher-http-go/v5"
)

func main() {
	var event struct {
		App, Key, Secret, Channel, Event string
		Data                             map[string]interface{}
	}
	check(json.Unmarshal([]byte(os.Args[1]), &event))
	host := os.Args[2]
	atOnce, err := strconv.Atoi(os.Args[3])
	check(err)
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	check(err)
	// By itself it keeps two connections, so that most of 50 calls at once would open one anew.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = atOnce
	client := pusher.Client{
		AppID: event.App, Key: event.Key, Secret: event.Secret, Host: host, Secure: true,
		HTTPClient: &http.Client{Timeout: 5 * time.Second, Transport: transport},
	}

	run := func(count int) {
		var all sync.WaitGroup
		for worker := 0; worker < atOnce; worker++ {
			share := count / atOnce
			if worker < count%atOnce {
				share++
			}
			all.Add(1)
			go func() {
				defer all.Done()
				for ; share > 0; share-- {
					check(client.Trigger(event.Channel, event.Event, event.Data))
				}
			}()
		}
		all.Wait()
	}

	run(4 * atOnce) // opens every connection
	warm, rate, spent := atOnce, 0.0, 0.0
	for spent < seconds*0.2 {
		begin := cpu()
		run(warm)
		spent = cpu() - begin
		rate = float64(warm) / spent
		warm *= 2
	}
	count := int(rate*seconds) + 1
	wall, begin := time.Now(), cpu()
	run(count)
	spent = cpu() - begin
	fmt.Printf(`{"cpu": %g, "wall": %g, "peak": 0, "count": %d}`+"\n",
		spent/float64(count), time.Since(wall).Seconds()/float64(count), count)
}

func cpu() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
