// Command redis is the Redis-protocol server of a local hub: an in-memory
// cache for Argo CD, which keeps nothing in Redis that it cannot rebuild.
//
// It accepts the options of redis-server that Argo CD's manifest and the node
// agent pass. The password comes from the environment, as REDIS_PASSWORD: a
// command line can be read by every user of the machine.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// options is the part of redis-server's command line that matters here.
type options struct {
	bind, port string
}

// parse reads `--name value` pairs. Persistence options are accepted and have
// no effect, because nothing is ever written to disk. Any other option is
// refused: ignoring one silently could change what a pod means.
func parse(words []string) (options, error) {
	parsed := options{bind: "127.0.0.1", port: "6379"}
	for len(words) > 0 {
		if len(words) < 2 {
			return parsed, fmt.Errorf("option %s needs a value", words[0])
		}
		name, value := words[0], words[1]
		words = words[2:]
		switch name {
		case "--bind":
			parsed.bind = value
		case "--port":
			parsed.port = value
		case "--save", "--appendonly":
		default:
			return parsed, fmt.Errorf("unknown option %s", name)
		}
	}
	return parsed, nil
}

func serve(arguments []string) error {
	parsed, err := parse(arguments)
	if err != nil {
		return err
	}
	server := miniredis.NewMiniRedis()
	if password := os.Getenv("REDIS_PASSWORD"); password != "" {
		server.RequireAuth(password)
	}
	if err := server.StartAddr(net.JoinHostPort(parsed.bind, parsed.port)); err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	// The library's clock stands still on its own: keys expire only as it is moved.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
			server.FastForward(time.Second)
		}
	}
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}
