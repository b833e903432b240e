// Everything a first program needs.
#pragma once
#include "muster/arrow.hpp"
#include "muster/cluster.hpp"
#include "muster/dataframe.hpp"
#include "muster/delayed.hpp"
#include "muster/error.hpp"
#include "muster/filesystem.hpp"
#include "muster/table.hpp"
