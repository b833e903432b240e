// Everything a first program needs.
#pragma once
#include "muster/dataframe.hpp"
#include "muster/error.hpp"
#include "muster/filesystem.hpp"
#include "muster/table.hpp"
