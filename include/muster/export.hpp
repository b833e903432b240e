// Marks what libmuster.so shows; everything else is hidden.
#pragma once
#define MUSTER_API __attribute__((visibility("default")))
