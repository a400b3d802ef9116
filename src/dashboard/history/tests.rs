mod rebuilds;
