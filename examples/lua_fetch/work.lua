-- One script: `base` is where the server is, `n` the script's number. Each of the three functions below is written in C, calls back into
-- Lua, and cannot be left by a yield in between.
local base, n = ...

-- The module comes over the network.
package.searchers[2] = function(name)
  return load(fetch(base .. "/module/" .. name), "=" .. name)
end
local catalogue = require "catalogue"

-- Each word comes over the network.
local letter = catalogue.letter:gsub("%$(%a+)", function(word)
  return fetch(base .. "/word/" .. n .. "/" .. word)
end)

-- Somebody else knows which of two comes first.
local places = table.move(catalogue.places, 1, #catalogue.places, 1, {})
table.sort(places, function(a, b)
  return fetch(base .. "/before/" .. n .. "/" .. a .. "/" .. b) == "yes"
end)

return letter .. table.concat(places, ", ")
