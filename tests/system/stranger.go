// SPDX-License-Identifier: LGPL-2.1-or-later

// A varlink client that others wrote, against our service: `stranger ADDRESS METHOD PARAMETERS`.
// It lists the interfaces, reads the text of each and parses it, then makes the call; it prints one JSON object.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

type seen struct {
	Vendor     string          `json:"vendor"`
	Interfaces []string        `json:"interfaces"`
	Methods    []string        `json:"methods"`
	Reply      json.RawMessage `json:"reply"`
	Error      string          `json:"error"`
}

func readMethods(ctx context.Context, connection *varlink.Connection, name string) ([]string, error) {
	text, err := connection.GetInterfaceDescription(ctx, name)
	if err != nil {
		return nil, err
	}
	// Names of interfaces with capitals, as varlink.org allows and systemd has, are newer than Debian's parser.
	parsed, err := idl.New(strings.Replace(text, "interface "+name, "interface "+strings.ToLower(name), 1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	methods := []string{}
	for _, method := range parsed.Methods {
		methods = append(methods, name+"."+method.Name)
	}
	return methods, nil
}

func look(ctx context.Context, address, method, parameters string) (*seen, error) {
	connection, err := varlink.NewConnection(ctx, address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	found := &seen{}
	var product, version, url string
	if err := connection.GetInfo(ctx, &found.Vendor, &product, &version, &url, &found.Interfaces); err != nil {
		return nil, err
	}
	for _, name := range found.Interfaces {
		methods, err := readMethods(ctx, connection, name)
		if err != nil {
			return nil, err
		}
		found.Methods = append(found.Methods, methods...)
	}
	if err := connection.Call(ctx, method, json.RawMessage(parameters), &found.Reply); err != nil {
		found.Error = err.Error()
	}
	return found, nil
}

func main() {
	found, err := look(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
