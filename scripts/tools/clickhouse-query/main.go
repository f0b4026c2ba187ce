// Command clickhouse-query asks ClickHouse as Grafana's ClickHouse plug-in does: by clickhouse-go's database/sql driver, over
// HTTP, with gzip, and with a deadline, from which the driver makes the setting max_execution_time (Connect in the plug-in's
// pkg/plugin/driver.go).
//
//	clickhouse-query HOST:PORT USER DATABASE < queries.json
//
// Standard input is a JSON array of queries. Standard output is a JSON array of answers, in their order:
// {"columns": [[name, type], …], "rows": [[value, …], …]} or {"error": text}. CLICKHOUSE_PASSWORD is the user's.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Set by the build.
var version string

const (
	dialTimeout  = 10 * time.Second
	queryTimeout = 60 * time.Second
)

type answer struct {
	Columns [][2]string `json:"columns"`
	Rows    [][]any     `json:"rows"`
	Error   string      `json:"error,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "clickhouse-query %s: %v\n", version, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: clickhouse-query HOST:PORT USER DATABASE")
	}
	var queries []string
	if err := json.NewDecoder(os.Stdin).Decode(&queries); err != nil {
		return err
	}
	db := clickhouse.OpenDB(&clickhouse.Options{
		Addr:        []string{args[0]},
		Auth:        clickhouse.Auth{Username: args[1], Password: os.Getenv("CLICKHOUSE_PASSWORD"), Database: args[2]},
		Protocol:    clickhouse.HTTP,
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
		DialTimeout: dialTimeout,
		ReadTimeout: queryTimeout,
	})
	defer db.Close()
	answers := make([]answer, 0, len(queries))
	for _, query := range queries {
		found, err := ask(db, query)
		if err != nil {
			found = answer{Error: err.Error()}
		}
		answers = append(answers, found)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func ask(db *sql.DB, query string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return answer{}, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return answer{}, err
	}
	found := answer{Columns: [][2]string{}, Rows: [][]any{}}
	for _, column := range types {
		found.Columns = append(found.Columns, [2]string{column.Name(), column.DatabaseTypeName()})
	}
	for rows.Next() {
		values := make([]any, len(types))
		places := make([]any, len(types))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return answer{}, err
		}
		found.Rows = append(found.Rows, values)
	}
	return found, rows.Err()
}
