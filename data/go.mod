module github.com/asfotec/churn/data

go 1.26
