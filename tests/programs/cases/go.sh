# SPDX-License-Identifier: Apache-2.0
# needs: go
# timeout: 180
# Go makes its system calls without a libc: goroutines, timers, signals, an HTTP server and client.
export GOCACHE=$PWD/cache GOFLAGS=-mod=mod GO111MODULE=off
cat > main.go <<'END'
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 1000; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			time.Sleep(time.Millisecond)
			lock.Lock()
			defer lock.Unlock()
			sum += i
		}(i)
	}
	group.Wait()
	fmt.Println("sum", sum)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d", r.URL.Path, n)
	})}
	go server.Serve(listener)
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			r, err := http.Post("http://"+listener.Addr().String()+"/x", "text/plain", io.LimitReader(endless{}, 100000))
			check(err)
			body, err := io.ReadAll(r.Body)
			check(err)
			r.Body.Close()
			if string(body) != "/x 100000" {
				fmt.Println("wrong", string(body))
			}
		}()
	}
	group.Wait()
	server.Shutdown(context.Background())
	fmt.Println("http")

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	packets.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, _, err = packets.ReadFrom(make([]byte, 9))
	fmt.Println("deadline", os.IsTimeout(err))
	file, err := os.CreateTemp("", "rakis")
	check(err)
	file.Write(make([]byte, 1<<20))
	file.Seek(0, 0)
	sha := sha256.New()
	io.Copy(sha, file)
	fmt.Printf("%x\n", sha.Sum(nil))
	check(os.Remove(file.Name()))
	_, err = os.Open("/nothing/here")
	fmt.Println(err)
	hosts, err := net.LookupHost("localhost")
	fmt.Println(len(hosts) > 0, err)
	defer func() {
		fmt.Println("recovered:", recover())
		os.Exit(3)
	}()
	var nothing *int
	*nothing = 1
}
END
CGO_ENABLED=0 go build -o static main.go
go build -o dynamic main.go
for i in 1 2 3; do
	$R ./static || echo "static: $?"
	$R ./dynamic || echo "dynamic: $?"
done
