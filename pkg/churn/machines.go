package churn

// MaxMachines is the most machines that may train one model together.
const MaxMachines = 16
