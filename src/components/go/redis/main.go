// Command redis is the Redis-protocol server of a local hub: an in-memory
// cache for Argo CD, which keeps nothing in Redis that it cannot rebuild.
//
// It accepts the options that Argo CD's manifest and the node agent pass to
// redis-server, so that the pod's command line can be used as it is.
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
	bind, port, password string
}

// parse reads `--name value` pairs; redis-server also accepts the pair in one
// argument ("--requirepass secret"). Persistence options are accepted and have
// no effect, because nothing is ever written to disk. Any other option is
// refused: ignoring one silently could change what a pod means.
func parse(arguments []string) (options, error) {
	parsed := options{bind: "127.0.0.1", port: "6379"}
	words := split(arguments)
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
		case "--requirepass":
			parsed.password = value
		case "--save", "--appendonly":
		default:
			return parsed, fmt.Errorf("unknown option %s", name)
		}
	}
	return parsed, nil
}

// split undoes the one-argument form: "--requirepass secret" becomes two words.
func split(arguments []string) []string {
	var words []string
	for _, argument := range arguments {
		for index, character := range argument {
			if character == ' ' && len(argument) > 2 && argument[:2] == "--" {
				words = append(words, argument[:index])
				argument = argument[index+1:]
				break
			}
		}
		words = append(words, argument)
	}
	return words
}

func serve(arguments []string) error {
	parsed, err := parse(arguments)
	if err != nil {
		return err
	}
	server := miniredis.NewMiniRedis()
	if parsed.password != "" {
		server.RequireAuth(parsed.password)
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
