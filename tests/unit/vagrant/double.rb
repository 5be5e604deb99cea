# Evaluates a Vagrantfile as Vagrant does, and prints what it configured, machine by machine, as JSON:
#   ruby double.rb Vagrantfile
# A setting is {"vm.box": value}, a call {"vm.network": [[arguments..., {options}], ...]}; "" is what holds for
# all machines. Providers are by name: {"virtualbox.memory": 1536}.

require "json"

class Recorded < BasicObject
  def initialize(machines, machine, prefix)
    @machines, @machine, @prefix = machines, machine, prefix
  end

  # `config.vm` has no arguments and goes one deeper; all else is a setting or a call.
  def method_missing(name, *arguments, **options, &block)
    found = (@machines[@machine] ||= {})
    if name == :define
      block.call(::Recorded.new(@machines, arguments[0].to_s, []))
    elsif name == :provider
      block.call(::Recorded.new(@machines, @machine, [arguments[0]]))
    elsif name.to_s.end_with?("=")
      found[[*@prefix, name.to_s.chomp("=")].join(".")] = arguments[0]
    elsif arguments.empty? && options.empty?
      return ::Recorded.new(@machines, @machine, [*@prefix, name])
    else
      (found[[*@prefix, name].join(".")] ||= []) << arguments + [options].reject(&:empty?)
    end
    nil
  end

  def respond_to_missing?(*) = true
end

module Vagrant
  def self.configure(version)
    raise "version #{version} of the language is not known" unless version == "2"
    yield Recorded.new(MADE, "", [])
  end
end

MADE = {}
load File.expand_path(ARGV.fetch(0))
puts JSON.generate(MADE)
